//! A list as a page.

use jiff::civil::Date;
use maud::{Markup, html};
use pressrun_catalog::{ListPage, Neighbours, Period, Sort};

use super::DAY_SORT;
use crate::format::Format;
use crate::number;
use crate::pages::digest;
use crate::site::Site;
use crate::view::{Nav, Page, card, date, export, social};

/// Which list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Front,
    Period,
    All,
    Trending,
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct List<'a> {
    pub site: &'a Site,
    /// What absolute addresses begin with.
    pub base: &'a str,
    pub kind: Kind,
    pub period: Period,
    pub sort: Sort,
    pub found: ListPage,
    pub neighbours: Option<Neighbours>,
    pub newest: Option<Date>,
}

impl List<'_> {
    pub(super) fn render(&self) -> Markup {
        let nav = if self.kind == Kind::Trending { Nav::Trending } else { Nav::Papers };
        let body = html! {
            @if self.kind == Kind::Front { (digest::invitation()) }
            div.list-head {
                div.titles {
                    h1 { (heading(self.kind, self.period)) }
                    p.by { "by the community" }
                }
                (self.switch())
            }
            div.list-tools {
                (self.dates())
                (self.sorts())
            }
            @if self.found.papers.is_empty() { (self.nothing()) }
            ol.cards {
                @for paper in &self.found.papers { li { (card::listed(self.site, paper)) } }
            }
            (self.pager())
            (export::links(|format| self.exported(format)))
        };
        let title = title(self.kind, self.period);
        let place = |format: Format| self.exported(format);
        let head = html! {
            (export::alternates(&title, place))
            @if self.kind == Kind::Front { (digest::script()) }
            (social::list(self.base, &self.address(self.sort, self.found.page)))
        };
        Page::new(&title, nav, body).with_head(head).render()
    }

    /// The address of this list in another format. The front page's feed holds more than its day.
    fn exported(&self, format: Format) -> String {
        if self.kind == Kind::Front && format.is_feed() {
            return format!("/daily{}", format.extension());
        }
        address(self.kind, self.period, self.sort, 1, format.extension())
    }

    /// Day, week, month, trending: the same stretch of time where there is one.
    fn switch(&self) -> Markup {
        let day = self.day();
        let dated = day.map(|day| {
            [
                ("Daily", Period::Day(day), matches!(self.period, Period::Day(_))),
                ("Weekly", Period::week_of(day), matches!(self.period, Period::Week { .. })),
                ("Monthly", Period::month_of(day), matches!(self.period, Period::Month { .. })),
                ("Yearly", Period::Year(day.year()), matches!(self.period, Period::Year(_))),
            ]
        });
        html! {
            nav.switch aria-label="Period" {
                ul {
                    @for (name, period, here) in dated.into_iter().flatten() {
                        li { a href=(path(&period)) aria-current=[here.then_some("page")] { (name) } }
                    }
                    @for (name, href, kind) in [
                        ("Trending", "/papers/trending", Kind::Trending),
                        ("All", "/papers/all", Kind::All),
                    ] {
                        li {
                            a href=(href) aria-current=[(self.kind == kind).then_some("page")] {
                                (name)
                            }
                        }
                    }
                }
            }
        }
    }

    /// The day that stands for this list when the period is switched.
    fn day(&self) -> Option<Date> {
        let Some((first, last)) = self.period.range() else {
            return self.newest;
        };
        let newest = self.newest.filter(|day| (first..=last).contains(day));
        Some(newest.unwrap_or(last))
    }

    /// The period with its neighbours.
    fn dates(&self) -> Markup {
        let Some(neighbours) = &self.neighbours else {
            let total = i64::try_from(self.found.total).unwrap_or(i64::MAX);
            return html! { p.total { (number::counted(total, "paper", "papers")) } };
        };
        html! {
            nav.dates aria-label="Dates" {
                @match &neighbours.previous {
                    Some(period) => {
                        a rel="prev" href=(path(period)) {
                            span.arrow aria-hidden="true" { "←" }
                            span.sr { "Earlier: " } span.when { (date::period(period)) }
                        }
                    }
                    None => span.none { "nothing earlier" },
                }
                strong {
                    (date::period(&self.period))
                    @if let Some(span) = date::span(&self.period) { " " small { (span) } }
                }
                @match &neighbours.next {
                    Some(period) => {
                        a rel="next" href=(path(period)) {
                            span.sr { "Later: " } span.when { (date::period(period)) }
                            span.arrow aria-hidden="true" { "→" }
                        }
                    }
                    None => span.none { "nothing later" },
                }
            }
        }
    }

    fn sorts(&self) -> Markup {
        html! {
            nav.sorts aria-label="Sort by" {
                span aria-hidden="true" { "Sort by" }
                ul {
                    @for sort in Sort::ALL {
                        li {
                            a href=(self.address(sort, 1))
                                aria-current=[(sort == self.sort).then_some("true")] {
                                (sort.name())
                            }
                        }
                    }
                }
            }
        }
    }

    fn nothing(&self) -> Markup {
        html! {
            div.nothing {
                @match (self.newest, self.period) {
                    (None, _) => {
                        p.lead { "This site has no papers yet." }
                        p { "Bring some in with " code { "pressrun import FILE" } "." }
                    }
                    (Some(newest), period) => {
                        p.lead { "No papers are listed for " (date::period(&period)) "." }
                        p {
                            a href=(path(&Period::Day(newest))) {
                                "The newest list is that of " (date::day(newest))
                            }
                        }
                    }
                }
            }
        }
    }

    fn pager(&self) -> Markup {
        let ListPage { page, pages, .. } = self.found;
        html! {
            @if pages > 1 {
                nav.pager aria-label="Pages" {
                    @if page > 1 {
                        a rel="prev" href=(self.address(self.sort, page - 1)) { "← Previous" }
                    }
                    span { "Page " (page) " of " (pages) }
                    @if page < pages {
                        a rel="next" href=(self.address(self.sort, page + 1)) { "Next →" }
                    }
                }
            }
        }
    }

    /// The address of this list sorted so, at that page.
    fn address(&self, sort: Sort, page: u32) -> String {
        address(self.kind, self.period, sort, page, "")
    }
}

/// What a list is called.
fn heading(kind: Kind, period: Period) -> &'static str {
    match (kind, period) {
        (Kind::Trending, _) => "Trending Papers",
        (Kind::All, _) => "All Papers",
        (_, Period::Week { .. }) => "Weekly Papers",
        (_, Period::Month { .. }) => "Monthly Papers",
        (_, Period::Year(_)) => "Yearly Papers",
        _ => "Daily Papers",
    }
}

/// What a list is called, with its period.
pub(super) fn title(kind: Kind, period: Period) -> String {
    match period {
        Period::All => heading(kind, period).into(),
        period => format!("{}, {}", heading(kind, period), date::period(&period)),
    }
}

/// The address of a list sorted so, at that page, with an extension at the end of its path. What is
/// usual is left out.
pub(super) fn address(kind: Kind, period: Period, sort: Sort, page: u32, end: &str) -> String {
    let (base, usual) = match period {
        Period::All if kind == Kind::Trending && sort == Sort::Trending => {
            ("/papers/trending".to_owned(), Sort::Trending)
        }
        period @ Period::Day(_) => (path(&period), DAY_SORT),
        period => (path(&period), Sort::Date),
    };
    let sort = (sort != usual).then(|| format!("sort={sort}"));
    let page = (page > 1).then(|| format!("page={page}"));
    let query: Vec<String> = sort.into_iter().chain(page).collect();
    if query.is_empty() {
        format!("{base}{end}")
    } else {
        format!("{base}{end}?{}", query.join("&"))
    }
}

/// The address of a period's list.
fn path(period: &Period) -> String {
    let kind = match period {
        Period::Day(_) => "date",
        Period::Week { .. } => "week",
        Period::Month { .. } => "month",
        Period::Year(_) => "year",
        Period::All => return "/papers/all".into(),
    };
    format!("/papers/{kind}/{period}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_period_has_its_address() {
        assert_eq!(path(&"2025-W37".parse().unwrap()), "/papers/week/2025-W37");
        assert_eq!(path(&"2025-09".parse().unwrap()), "/papers/month/2025-09");
        assert_eq!(path(&"2025-09-09".parse().unwrap()), "/papers/date/2025-09-09");
        assert_eq!(path(&Period::All), "/papers/all");
    }
}
