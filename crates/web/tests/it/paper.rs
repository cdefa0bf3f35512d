//! A paper's page, and pressing Run.

use axum::http::StatusCode;
use pressrun_catalog::{NewPaper, RunState};
use pressrun_lab::Profile;
use pressrun_web::Settings;

use crate::site::{TestSite, settings, snapshot};
use crate::{demo, html};

#[tokio::test]
async fn a_paper_with_a_record() {
    let site = TestSite::new().await;
    let mut record = demo::record(&site.library, Profile::Full, "demo-full");
    // One chart of curves with five points each is enough to compare.
    record.curves.retain(|c| c.series == "eval/distance" && c.setting == "condition 10");
    record.curves.iter_mut().for_each(|c| c.points.truncate(5));
    site.catalog.add_record(&record).await.unwrap();
    let page = site.page("/papers/9909.00001").await;
    insta::assert_snapshot!("paper", snapshot(&page, None));
}

#[tokio::test]
async fn a_verdict_shows_both_numbers_the_margin_and_the_rule() {
    let site = TestSite::new().await.with_record().await;
    let page = site.page("/papers/9909.00001").await;
    let record = site.catalog.latest_record(demo::SLUG).await.unwrap().unwrap();
    assert_eq!(record.verdicts.len(), 4);
    for verdict in &record.verdicts {
        assert!(page.contains(&format!("id=\"{}\"", verdict.claim.to_lowercase())));
        assert!(page.contains(&format!("/methodology#{}", verdict.outcome.slug())));
        for c in &verdict.comparisons {
            assert!(page.contains(&c.measured_label) && page.contains(&c.rule), "{c:?}");
        }
    }
    for text in ["holds", "does not hold", "not finite", "unconfirmed", "Needs 512 machines."] {
        assert!(page.contains(text), "{text}");
    }
}

#[tokio::test]
async fn before_a_record_the_page_states_what_will_be_checked() {
    let site = TestSite::new().await;
    let page = site.page("/papers/9909.00001").await;
    assert!(page.contains("What will be checked, fixed beforehand"));
    assert!(page.contains("lower by more than 1 standard errors"));
    assert!(page.contains("runs here") && !page.contains("id=\"results\""));
    let unrun = site.page("/papers/soft-stop").await;
    assert!(unrun.contains("No study of this paper exists yet") && !unrun.contains("<form method"));
}

#[tokio::test]
async fn the_slug_leads_to_the_id() {
    let site = TestSite::new().await;
    let answer = site.get("/papers/heavy-ball").await;
    assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.header("location"), "/papers/9909.00001");
    assert_eq!(site.get("/papers/soft-stop").await.status, StatusCode::OK, "its slug is its id");
    let missing = site.get("/papers/none").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.body.contains("There is no paper `none` here."));
}

#[tokio::test]
async fn an_id_with_a_slash_is_one_paper() {
    let site = TestSite::new().await;
    let paper =
        NewPaper { id: "cs/0112017".into(), title: "An Old Paper".into(), ..NewPaper::default() };
    site.catalog.upsert(&[paper]).await.unwrap();
    assert!(site.page("/papers/all").await.contains("href=\"/papers/cs%2F0112017\""));
    assert!(site.page("/papers/cs%2F0112017").await.contains("An Old Paper"));
}

#[tokio::test]
async fn what_a_paper_says_of_itself_stays_text() {
    let site = TestSite::new().await;
    for path in ["/papers/9909.66666", "/", "/papers/all"] {
        let page = site.page(path).await;
        assert!(page.contains("&lt;script&gt;alert(&quot;title&quot;)&lt;/script&gt;"), "{path}");
        let elements = html::elements(&page);
        let hostile = |e: &&html::Element| ["img", "b", "i", "u", "em"].contains(&e.name.as_str());
        assert!(elements.iter().find(hostile).is_none(), "{path}");
        // The front page's form takes the browser's time zone.
        let own = html::OWN_SCRIPTS + usize::from(path == "/");
        let scripts = elements.iter().filter(|e| e.name == "script").count();
        assert_eq!(scripts, own, "{path}: the site's own");
        assert!(!page.contains("href=\"javascript"), "{path}");
    }
    let page = site.page("/papers/9909.66666").await;
    assert!(page.contains("The authors' code: javascript:alert(3)"), "shown, but no link");
}

#[tokio::test]
async fn the_source_is_shown_as_text_with_an_address_per_line() {
    let site = TestSite::new().await;
    let page = site.page("/papers/9909.00001").await;
    assert!(page.contains("&lt;b&gt;&amp;amp;&lt;/b&gt;"));
    assert!(page.contains("href=\"#mod-rs-l4\"") && page.contains("id=\"mod-rs-l5\""));
    assert!(page.contains("5 lines"));
}

#[tokio::test]
async fn pressing_run_queues_a_run() {
    let site = TestSite::new().await;
    let answer = site.post("/papers/9909.00001/runs", "profile=full").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let runs = site.catalog.runs(None, 10).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].profile, runs[0].state), (Profile::Full, RunState::Queued));
    assert_eq!(answer.header("location"), format!("/runs/{}", runs[0].id));
    let page = site.page("/papers/9909.00001").await;
    assert!(page.contains("Recent runs") && page.contains(&runs[0].id));
}

#[tokio::test]
async fn a_run_needs_a_profile_and_a_study() {
    let site = TestSite::new().await;
    for form in ["", "profile=fast", "profil=quick"] {
        let answer = site.post("/papers/9909.00001/runs", form).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{form}");
        assert!(answer.body.contains("`quick` or `full`"), "{form}");
    }
    let answer = site.post("/papers/soft-stop/runs", "profile=quick").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("no study of it exists yet"));
    assert!(site.catalog.runs(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_so_many_runs_wait_or_run_at_once() {
    let site = TestSite::with_settings(Settings { max_active_runs: 2, ..settings() }).await;
    let start = async || site.post("/papers/9909.00001/runs", "profile=quick").await;
    // All at once: counting and queueing must not be two steps.
    let answers = futures_util::future::join_all([start(), start(), start(), start()]).await;
    let count = |s| answers.iter().filter(|a| a.status == s).count();
    assert_eq!((count(StatusCode::SEE_OTHER), count(StatusCode::TOO_MANY_REQUESTS)), (2, 2));
    let refused = start().await;
    html::check("429", &refused.body);
    assert!(refused.body.contains("2 runs are queued or running"));
    assert!(refused.body.contains("href=\"/runs\"") && refused.header("retry-after") == "20");
    // One ends, one more fits.
    let run = &site.catalog.runs(None, 1).await.unwrap()[0];
    site.post(&format!("/runs/{}/cancel", run.id), "").await;
    assert_eq!(start().await.status, StatusCode::SEE_OTHER);
}
