//! Where a record comes from, and the source of its study.

use maud::{Markup, html};
use pressrun_catalog::RecordHead;
use pressrun_lab::{Record, Source};

use super::{badge, date, link};
use crate::number;

/// Command, machine, software and time of a record in this site's catalogue.
pub(crate) fn facts(record: &Record) -> Markup {
    let run = |id: &str| html! { a href=(link::run(id)) { (id) } };
    described(record, &run, &format!("{}/record.json", link::run(&record.run)))
}

/// The same of a record that has no page of a run, but stands as JSON at `json`.
pub(crate) fn facts_at(record: &Record, json: &str) -> Markup {
    described(record, &|id| html! { (id) }, json)
}

fn described(record: &Record, run: &dyn Fn(&str) -> Markup, json: &str) -> Markup {
    let machine = &record.machine;
    html! {
        dl.facts {
            dt { "Profile" } dd { (badge::profile(record.profile)) }
            dt { "Started" } dd { (date::started(&record.started)) }
            dt { "Took" } dd { (number::seconds(record.seconds)) }
            dt { "Seeds" } dd { (seeds(&record.seeds)) }
            dt { "Command" } dd { code { (record.command) } }
            dt { "Processor" } dd {
                (machine.processor) ", " (number::counted(machine.cores as i64, "core", "cores"))
            }
            @if let Some(memory) = machine.memory_gib { dt { "Memory" } dd { (memory) " GiB" } }
            dt { "System" } dd { (machine.system) }
            dt { "Device" } dd {
                (record.device) ", " (number::counted(record.threads as i64, "arm", "arms"))
                " side by side"
            }
            dt { "Pressrun" } dd { (record.software.pressrun) ", commit " code { (record.software.commit) } }
            dt { "Compiler" } dd { (record.software.rustc) }
            @if !record.software.crates.is_empty() {
                dt { "Crates" } dd { (record.software.crates.join(", ")) }
            }
            @if let Some(reason) = &record.reason { dt { "Reason" } dd { (reason) } }
            @if let Some(older) = &record.supersedes {
                dt { "Supersedes" } dd { (run(older)) }
            }
            dt { "Run" } dd { (run(&record.run)) }
        }
        p { a href=(json) { "This record as JSON" } }
    }
}

fn seeds(seeds: &[u64]) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// All records of a study, newest first.
pub(crate) fn records(heads: &[RecordHead]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Records" {
            table.data {
                thead {
                    tr {
                        th scope="col" { "started" }
                        th scope="col" { "profile" }
                        th scope="col" { "verdicts" }
                        th.num scope="col" { "took" }
                        th scope="col" { "reason" }
                        th scope="col" { "record" }
                    }
                }
                tbody {
                    @for head in heads {
                        tr {
                            td { a href=(link::run(&head.run)) { (date::started(&head.started)) } }
                            td { (badge::profile(head.profile)) }
                            td { (badge::breakdown(&head.verdicts)) }
                            td.num { (number::seconds(head.seconds)) }
                            td { @if let Some(reason) = &head.reason { (reason) } }
                            td { a href={ (link::run(&head.run)) "/record.json" } { "JSON" } }
                        }
                    }
                }
            }
        }
    }
}

/// Source files with line numbers; every line has an address, `#mod-rs-l12`.
pub(crate) fn source(sources: &[Source]) -> Markup {
    html! {
        @for source in sources {
            @let file = source.path.rsplit('/').next().unwrap_or(source.path);
            @let id = link::anchor(file);
            details.source id=(id) {
                summary {
                    code { (source.path) } " "
                    span.unit { (number::counted(source.text.lines().count() as i64, "line", "lines")) }
                }
                pre tabindex="0" aria-label=(source.path) {
                    code {
                        @for (i, line) in source.text.lines().enumerate() {
                            @let anchor = format!("{id}-l{}", i + 1);
                            // The number is drawn by the style sheet, so that it is not copied.
                            a.line id=(anchor) href={ "#" (anchor) } tabindex="-1" aria-hidden="true" {}
                            (line) "\n"
                        }
                    }
                }
            }
        }
    }
}
