//! Mails that answer who asks for the digest.
//!
//! Anybody can have one sent to any address, so they hold nothing that was typed freely: a search is
//! shown on the page that the link leads to, or the form would carry a stranger's words to strangers.

use pressrun_catalog::{CONFIRM_LIFE, NewMail, Preferences, Purpose, SigningKey, Subscription};

use super::words;
use crate::number;
use crate::view::link;

/// What is sent for a subscription that somebody asked for, of a site at `base`.
pub(super) fn asked(base: &str, key: &SigningKey, subscription: &Subscription) -> NewMail {
    match subscription.confirmed_at {
        None => confirm(base, key, subscription),
        Some(_) => known(base, key, subscription),
    }
}

fn confirm(base: &str, key: &SigningKey, subscription: &Subscription) -> NewMail {
    let link = link::confirm_digest(&key.token(Purpose::Confirm, subscription.id));
    let (preferences, hours) = (&subscription.preferences, CONFIRM_LIFE.as_secs() / 3600);
    NewMail {
        kind: "digest-confirm",
        recipient: subscription.email.clone(),
        subject: "Confirm that you want the papers of Pressrun".into(),
        body: format!(
            "Somebody asked Pressrun ({base}) to send papers to this address:\n\n\
             {}\n\
             If it was you, open this link and press the button on its page. It works for {hours} \
             hours:\n\n{base}{link}\n\n\
             If it was not you, nothing has happened. No papers are sent as long as nobody confirms, and \
             then the address is forgotten.\n",
            wishes(preferences)
        ),
        secret: true,
    }
}

fn known(base: &str, key: &SigningKey, subscription: &Subscription) -> NewMail {
    let link = link::manage_digest(&key.token(Purpose::Manage, subscription.id));
    NewMail {
        kind: "digest-known",
        recipient: subscription.email.clone(),
        subject: "You get the papers of Pressrun already".into(),
        body: format!(
            "Somebody asked Pressrun ({base}) to send papers to this address. There is a subscription \
             already, and it stays as it is:\n\n\
             {}\n\
             Here you see, change and end it. Whoever has this link can do the same:\n\n{base}{link}\n",
            wishes(&subscription.preferences)
        ),
        secret: true,
    }
}

/// What is wanted, a line each.
fn wishes(preferences: &Preferences) -> String {
    let votes = i64::from(preferences.min_votes);
    let which = match preferences.query.is_empty() {
        true => "all papers",
        false => "papers that a search of your own is about",
    };
    let mut text = format!("  {}\n  {which}\n", words::schedule(&preferences.schedule));
    if votes > 0 {
        text.push_str(&format!("  with {} or more\n", number::counted(votes, "vote", "votes")));
    }
    text.push_str(&format!("  at most {} at a time\n", preferences.most));
    text
}
