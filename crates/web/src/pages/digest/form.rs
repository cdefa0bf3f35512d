//! The fields of a subscription: as they were typed, as they are meant, and on the page.

use std::str::FromStr;
use std::sync::LazyLock;

use jiff::tz;
use maud::{Markup, html};
use pressrun_catalog::{Email, Frequency, Preferences, Schedule};
use pressrun_search::query::Query;

use crate::Error;
use crate::assets;
use crate::edge::viewer;
use crate::pages::form::Fields;
use crate::view::link;

/// Names of the fields, as forms send them.
pub(super) const EMAIL: &str = "email";
const FREQUENCY: &str = "frequency";
const HOUR: &str = "hour";
const ZONE: &str = "zone";
const QUERY: &str = "q";
const VOTES: &str = "votes";
const MOST: &str = "most";
const EMPTY: &str = "empty";

/// Longest text that a field is given back with; no right value is longer.
const KEPT: usize = 1000;

/// Time zones to choose from: those that are named after places.
static ZONES: LazyLock<Vec<String>> = LazyLock::new(|| {
    const AREAS: [&str; 10] = [
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    ];
    let of_place = |name: &str| name.split_once('/').is_some_and(|(area, _)| AREAS.contains(&area));
    let names = tz::db().available().map(|name| name.as_str().to_owned());
    let mut names: Vec<String> = names.filter(|name| of_place(name)).collect();
    names.sort_unstable();
    names.insert(0, "UTC".into());
    names
});

/// What stands in the fields.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub email: String,
    frequency: String,
    hour: String,
    zone: String,
    query: String,
    votes: String,
    most: String,
    send_empty: bool,
    /// Whether the zone is nobody's choice, so that a script may put in the browser's.
    zone_is_open: bool,
}

/// What is wrong, by the name of the field.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<(&'static str, String)>);

impl Problems {
    pub(super) fn add(&mut self, field: &'static str, error: impl ToString) {
        self.0.push((field, error.to_string()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }

    /// The value, or nothing and a note of what is wrong with it.
    pub(super) fn take<T>(&mut self, field: &'static str, value: Result<T, Error>) -> Option<T> {
        value.map_err(|error| self.add(field, error)).ok()
    }
}

impl Typed {
    /// What is wanted as it stands in the fields.
    pub(super) fn of(preferences: &Preferences) -> Self {
        let schedule = &preferences.schedule;
        Self {
            email: String::new(),
            frequency: schedule.frequency.name().into(),
            hour: schedule.hour.to_string(),
            zone: schedule.zone.clone(),
            query: preferences.query.clone(),
            votes: preferences.min_votes.to_string(),
            most: preferences.most.to_string(),
            send_empty: preferences.send_empty,
            zone_is_open: false,
        }
    }

    /// A form that nobody has filled in.
    pub(super) fn new() -> Self {
        Self { zone_is_open: true, ..Self::of(&Preferences::default()) }
    }

    /// A form that nobody has filled in, but for a search. One that is too long is no other search: it
    /// stays whole, and is refused when the form is sent.
    pub(super) fn about(query: &str) -> Self {
        Self { query: kept(query), ..Self::new() }
    }

    /// What a form sent; a field that it does not have is as usual.
    pub(super) fn sent(fields: &Fields) -> Self {
        let usual = Self::new();
        let field = |name: &str, usual: String| {
            let sent = fields.all(name).next();
            sent.map_or(usual, kept)
        };
        Self {
            email: field(EMAIL, usual.email),
            frequency: field(FREQUENCY, usual.frequency),
            hour: field(HOUR, usual.hour),
            zone: field(ZONE, usual.zone),
            query: field(QUERY, usual.query),
            votes: field(VOTES, usual.votes),
            most: field(MOST, usual.most),
            send_empty: fields.get(EMPTY) == "1",
            zone_is_open: false,
        }
    }

    /// The address.
    pub(super) fn email(&self, problems: &mut Problems) -> Option<Email> {
        problems.take(EMAIL, self.email.parse().map_err(Error::of_form))
    }

    /// What is wanted, unless something is wrong with it; every problem is noted.
    pub(super) fn preferences(&self, problems: &mut Problems) -> Option<Preferences> {
        let usual = Preferences::default();
        let check = |preferences: Preferences| preferences.check().map_err(Error::of_form);
        let with = |schedule| Preferences { schedule, ..usual.clone() };
        let frequency: Option<Frequency> =
            problems.take(FREQUENCY, self.frequency.parse().map_err(Error::of_form));
        let hour = whole(&self.hour, "hour", "a whole number from 0 to 23").and_then(|hour| {
            check(with(Schedule { hour, ..usual.schedule.clone() })).map(|()| hour)
        });
        let hour = problems.take(HOUR, hour);
        let zone = self.zone.clone();
        let known = check(with(Schedule { zone: zone.clone(), ..usual.schedule.clone() }));
        let zone = problems.take(ZONE, known.map(|()| zone));
        let query = check(Preferences { query: self.query.clone(), ..usual.clone() });
        let query = query.and_then(|()| match self.query.as_str() {
            "" => Ok(()),
            text => text.parse::<Query>().map(|_| ()).map_err(Error::Query),
        });
        let query = problems.take(QUERY, query.map(|()| self.query.clone()));
        let votes = whole(&self.votes, "number of votes", "at most 1,000,000").and_then(|votes| {
            check(Preferences { min_votes: votes, ..usual.clone() }).map(|()| votes)
        });
        let votes = problems.take(VOTES, votes);
        let most = whole(&self.most, "number of papers", "from 1 to 50")
            .and_then(|most| check(Preferences { most, ..usual.clone() }).map(|()| most));
        let most = problems.take(MOST, most);
        Some(Preferences {
            schedule: Schedule { frequency: frequency?, hour: hour?, zone: zone? },
            query: query?,
            min_votes: votes?,
            most: most?,
            send_empty: self.send_empty,
        })
    }

    /// The fields of the form, but for the address.
    pub(super) fn fields(&self, problems: &Problems) -> Markup {
        html! {
            fieldset {
                legend { "When" }
                (self.when(problems))
            }
            fieldset {
                legend { "Which papers" }
                (self.which(problems))
            }
        }
    }

    fn when(&self, problems: &Problems) -> Markup {
        let hour = format!("{:0>2}", self.hour);
        let known = ZONES.contains(&self.zone);
        html! {
            div.beside {
                (select(FREQUENCY, "Days", problems, false, html! {
                    @for frequency in Frequency::all() {
                        option value=(frequency) selected[frequency.name() == self.frequency] {
                            (capital(frequency.words()))
                        }
                    }
                }))
                (select(HOUR, "Hour", problems, false, html! {
                    @for other in 0..24 {
                        @let other = format!("{other:02}");
                        option value=(other) selected[other == hour] { (other) ":00" }
                    }
                }))
                (select(ZONE, "Time zone", problems, self.zone_is_open, html! {
                    @if !known { option value=(self.zone) selected { (self.zone) } }
                    @for name in ZONES.iter() {
                        option value=(name) selected[*name == self.zone] { (name.replace('_', " ")) }
                    }
                }))
            }
        }
    }

    fn which(&self, problems: &Problems) -> Markup {
        html! {
            label for=(id(QUERY)) { "A search; without one, all papers" }
            input id=(id(QUERY)) name=(QUERY) value=(self.query) maxlength="500" autocapitalize="none"
                spellcheck="false" aria-invalid=[problems.of(QUERY).map(|_| "true")]
                aria-describedby=[describes(QUERY, problems, Some("topic-form"))];
            p.fine #topic-form {
                "A paper must have every word and meet every condition. For example "
                code { "experts year:2024.." } "; " a href="/search" { "how to search" } "."
            }
            (problem(QUERY, problems))
            div.beside {
                (number(VOTES, "Fewest votes", &self.votes, (0, 1_000_000), problems))
                (number(MOST, "Most papers at a time", &self.most, (1, Preferences::MOST), problems))
            }
            label.check {
                input type="checkbox" name=(EMPTY) value="1" checked[self.send_empty];
                "Also tell me when there is no paper for me"
            }
        }
    }

    /// The field of the address.
    pub(super) fn address(&self, problems: &Problems) -> Markup {
        html! {
            label for=(EMAIL) { "E-mail address" }
            input #email type="email" name=(EMAIL) value=(self.email) required autocomplete="email"
                maxlength="254" aria-invalid=[problems.of(EMAIL).map(|_| "true")]
                aria-describedby=[describes(EMAIL, problems, None)];
            (problem(EMAIL, problems))
        }
    }
}

fn kept(value: &str) -> String {
    value.trim().chars().take(KEPT).collect()
}

fn whole<T: FromStr>(text: &str, what: &'static str, expected: &'static str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Invalid {
        what,
        value: text.chars().take(100).collect(),
        expected,
    })
}

/// The id of a field: the search box of every page is called `q` already.
fn id(field: &str) -> &str {
    if field == QUERY { "topic" } else { field }
}

/// What stands under a field about it.
pub(super) fn problem(field: &str, problems: &Problems) -> Markup {
    html! {
        @if let Some(text) = problems.of(field) {
            p.wrong-field id={ (id(field)) "-problem" } { (text) }
        }
    }
}

/// The names of what stands about a field.
pub(super) fn describes(field: &str, problems: &Problems, help: Option<&str>) -> Option<String> {
    let wrong = problems.of(field).map(|_| format!("{}-problem", id(field)));
    let all: Vec<String> = help.map(str::to_owned).into_iter().chain(wrong).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// A list to choose from; a script may choose the browser's zone where it is `open`.
fn select(name: &str, text: &str, problems: &Problems, open: bool, options: Markup) -> Markup {
    html! {
        div.field {
            label for=(name) { (text) }
            select id=(name) name=(name) data-zone[open]
                aria-invalid=[problems.of(name).map(|_| "true")]
                aria-describedby=[describes(name, problems, None)] { (options) }
            (problem(name, problems))
        }
    }
}

fn number(
    name: &str,
    text: &str,
    value: &str,
    (least, most): (u32, u32),
    problems: &Problems,
) -> Markup {
    html! {
        div.field {
            label for=(name) { (text) }
            input type="number" id=(name) name=(name) value=(value) min=(least) max=(most) required
                inputmode="numeric" aria-invalid=[problems.of(name).map(|_| "true")]
                aria-describedby=[describes(name, problems, None)];
            (problem(name, problems))
        }
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + rest.as_str()
}

/// Says at the head of a form that something is wrong further down.
pub(super) fn notice(problems: &Problems) -> Markup {
    html! {
        @if !problems.is_empty() {
            div.problem role="alert" {
                p {
                    strong { "This cannot be taken as it is." }
                    " What has to be changed stands at its field."
                }
            }
        }
    }
}

/// Puts the browser's time zone into fields that nobody has chosen.
pub(crate) fn script() -> Markup {
    html! { script src=(assets::ZONE.url()) defer {} }
}

/// The line of the front page with its short form.
pub(crate) fn invitation() -> Markup {
    let usual = Preferences::default();
    let own = viewer::current();
    let email = own.as_ref().map_or("", |viewer| viewer.person.email.as_str());
    html! {
        aside.invitation aria-label="E-mail" {
            p { "Get trending papers in your email inbox!" }
            form.subscribe method="post" action=(link::SUBSCRIBE) {
                input type="hidden" name=(ZONE) value=(usual.schedule.zone) data-zone;
                label.sr for="email" { "E-mail address" }
                input #email type="email" name=(EMAIL) value=(email) required autocomplete="email"
                    maxlength="254" placeholder="you@example.org";
                button.button { "Subscribe" }
            }
            p.fine {
                (capital(usual.schedule.frequency.words())) " at "
                (format!("{:02}:00", usual.schedule.hour)) " ("
                span data-zone-name { (usual.schedule.zone) } "), at most " (usual.most) " papers. "
                a href=(link::SUBSCRIBE) { "Choose day, hour, topic" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_to_choose_from_are_right_and_many() {
        assert!(ZONES.len() > 300, "{}", ZONES.len());
        for zone in ZONES.iter() {
            Schedule { zone: zone.clone(), ..Preferences::default().schedule }.check().unwrap();
        }
        for zone in ["UTC", "Europe/Vienna", "America/Argentina/Ushuaia"] {
            assert!(ZONES.iter().any(|name| name == zone), "{zone}");
        }
    }

    #[test]
    fn what_is_wanted_survives_the_fields() {
        let wanted = Preferences {
            query: "experts year:2024..".into(),
            min_votes: 3,
            send_empty: true,
            ..Preferences::default()
        };
        let mut problems = Problems::default();
        assert_eq!(Typed::of(&wanted).preferences(&mut problems), Some(wanted));
        assert!(problems.is_empty());
    }

    #[test]
    fn every_problem_is_told_at_its_field() {
        let typed = Typed {
            frequency: "hourly".into(),
            hour: "24".into(),
            zone: "UTC\r\nBcc: x".into(),
            query: "year:x".into(),
            votes: "-1".into(),
            most: "51".into(),
            ..Typed::new()
        };
        let mut problems = Problems::default();
        assert_eq!(typed.preferences(&mut problems), None);
        for field in [FREQUENCY, HOUR, ZONE, QUERY, VOTES, MOST] {
            assert!(problems.of(field).is_some(), "{field}");
        }
    }
}
