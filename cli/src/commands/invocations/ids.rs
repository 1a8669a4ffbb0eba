//! The ids of the invocations that something is done to: those that were named, or those that a
//! filter selects, page by page.

use std::collections::{BTreeSet, VecDeque};

use serde::Deserialize;

use crate::{client::Client, error::Error, printer::fetch, sql_text::literal};

/// The largest number of ids in a batch: what the admin API takes at a time.
pub(super) const BATCH_MAX: usize = 1000;
/// The number of ids that are asked for at a time. The server goes through all that are selected for
/// every page, so there should not be many; a page takes about 1 MB here.
const PAGE_MAX: u64 = 10_000;

/// Ids, in batches. None comes twice.
#[derive(Debug)]
pub(super) struct Ids {
    /// What is known and not returned yet.
    ready: VecDeque<String>,
    /// Where more come from.
    pages: Option<Pages>,
}

/// What a filter selects, newest first. Each page continues behind the last id of the one before,
/// so that what an operation changes meanwhile moves nothing, and what is created is left out.
#[derive(Debug)]
struct Pages {
    condition: String,
    /// How many more there may be.
    left: u64,
    after: Position,
}

/// Behind which invocation a page begins.
#[derive(Debug)]
struct Position {
    created_at: String,
    /// All that were created at that time belong to the page if there is none.
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Found {
    id: String,
    created_at: String,
}

impl Ids {
    /// These, each once.
    pub(super) fn given(ids: &[String]) -> Self {
        let mut seen = BTreeSet::new();
        let ready = ids.iter().filter(|id| seen.insert(id.as_str())).cloned().collect();
        Self { ready, pages: None }
    }

    /// The newest `count` of those that meet a condition and were created at `newest` or before.
    pub(super) fn selected(condition: String, newest: String, count: u64) -> Self {
        let after = Position { created_at: newest, id: None };
        Self { ready: VecDeque::new(), pages: Some(Pages { condition, left: count, after }) }
    }

    /// How many there are, or may be.
    pub(super) fn count(&self) -> u64 {
        self.ready.len() as u64 + self.pages.as_ref().map_or(0, |pages| pages.left)
    }

    /// The next batch; `None` at the end.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Option<Vec<String>>, Error> {
        if self.ready.is_empty()
            && let Some(pages) = &mut self.pages
            && let Some(statement) = pages.statement()
        {
            self.ready.extend(pages.take(fetch(client, &statement).await?));
        }
        let length = self.ready.len().min(BATCH_MAX);
        let batch: Vec<String> = self.ready.drain(..length).collect();
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }
}

impl Pages {
    /// What asks for the next page; `None` if there is none.
    fn statement(&self) -> Option<String> {
        if self.left == 0 {
            return None;
        }
        let at = literal(&self.after.created_at);
        let behind = self.after.id.as_ref().map_or_else(String::new, |id| {
            format!(" and (created_at < {at} or id < {})", literal(id))
        });
        Some(format!(
            "select id, created_at from sys_invocation \
             where {} and created_at <= {at}{behind} order by created_at desc, id desc limit {}",
            self.condition,
            self.left.min(PAGE_MAX)
        ))
    }

    /// The ids of a page, behind which the next one begins.
    fn take(&mut self, page: Vec<Found>) -> impl Iterator<Item = String> {
        self.left = match page.last() {
            None => 0,
            Some(last) => {
                let id = Some(last.id.clone());
                self.after = Position { created_at: last.created_at.clone(), id };
                self.left.saturating_sub(page.len() as u64)
            }
        };
        page.into_iter().map(|found| found.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, created_at: &str) -> Found {
        Found { id: id.to_owned(), created_at: created_at.to_owned() }
    }

    #[tokio::test]
    async fn ids_that_were_named_come_once_and_in_batches() {
        let client = Client::new(crate::client::AdminUrl::default());
        let named: Vec<String> = (0..2500).map(|at| format!("inv_{}", at % 2001)).collect();
        let mut ids = Ids::given(&named);
        assert_eq!(ids.count(), 2001);
        let mut batches = Vec::new();
        while let Some(batch) = ids.next(&client).await.unwrap() {
            batches.push(batch);
        }
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 1]);
        assert_eq!(batches.concat(), named[..2001]);
    }

    #[test]
    fn a_page_begins_behind_the_last_id_of_the_one_before() {
        let condition = "status in ('paused')".to_owned();
        let mut pages = Ids::selected(condition, "T9".to_owned(), 10_002).pages.unwrap();
        let first = "where status in ('paused') and created_at <= 'T9' \
                     order by created_at desc, id desc limit 10000";
        assert!(pages.statement().unwrap().ends_with(first));
        let page = vec![found("inv_b", "T7"), found("inv_a'", "T5")];
        assert_eq!(pages.take(page).collect::<Vec<_>>(), ["inv_b", "inv_a'"]);
        let second = "and created_at <= 'T5' and (created_at < 'T5' or id < 'inv_a''') \
                      order by created_at desc, id desc limit 10000";
        assert!(pages.statement().unwrap().ends_with(second));
    }

    #[test]
    fn there_is_an_end() {
        let selected = |count| Ids::selected("true".to_owned(), "T".to_owned(), count);
        let mut enough = selected(2).pages.unwrap();
        assert_eq!(enough.take(vec![found("b", "T"), found("a", "T")]).count(), 2);
        assert_eq!(enough.statement(), None, "so many were wanted");
        let mut no_more = selected(9).pages.unwrap();
        assert_eq!(no_more.take(Vec::new()).count(), 0);
        assert_eq!(no_more.statement(), None, "the others have left the filter meanwhile");
        assert_eq!(selected(0).pages.unwrap().statement(), None);
    }
}
