//! A table as the engine sees it, and a scan of it: pages of records, turned into batches.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    arrow::{
        array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions},
        compute::SortOptions,
        datatypes::{DataType, Field, Schema, SchemaRef},
    },
    catalog::{Session, TableProvider},
    common::{DataFusionError, Result, tree_node::TreeNodeRecursion},
    execution::TaskContext,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_expr::{
        EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr, expressions::Column,
    },
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        SendableRecordBatchStream, SortOrderPushdownResult,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::stream;

use crate::{
    growth::{claims::Claims, tightness::tight},
    pushdown::Constraints,
    snapshot::QuerySnapshot,
    source::{Cursor, Direction, Page, PageLimit, Record, Rows, Scan, Wanted},
    table::Table,
};

/// Records in the first batch of a scan: what a query with a small limit needs.
const FIRST_ROWS: usize = 64;
/// Records in a batch of a long scan.
const ROWS_MAX: usize = 2048;
/// Bytes of records in a batch.
const BYTES_MAX: usize = 2 << 20;

/// A table, ready to be queried.
pub(crate) struct TableSource<R: Record> {
    table: Arc<Table<R>>,
    schema: SchemaRef,
    /// Whether a record may stand for many rows, and says for how many in another column, the last.
    is_counted: bool,
}

/// The column that says how many rows a record stands for. A statement that calls another one so is
/// not counted this way.
pub(crate) const ROWS: &str = "rows of the record";

impl<R: Record> TableSource<R> {
    pub(crate) fn new(table: Table<R>) -> Self {
        Self { schema: table.schema(), table: Arc::new(table), is_counted: false }
    }

    /// The same table with a last column that says how many rows a record stands for; `None` if it
    /// has that column already.
    pub(crate) fn counted(&self) -> Option<Self> {
        if self.is_counted {
            return None;
        }
        let rows = Arc::new(Field::new(ROWS, DataType::Int64, false));
        let fields = self.schema.fields().iter().cloned().chain([rows]);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Some(Self { table: Arc::clone(&self.table), schema, is_counted: true })
    }
}

impl<R: Record> fmt::Debug for TableSource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table.info.name)
    }
}

#[async_trait]
impl<R: Record> TableProvider for TableSource<R>
where
    dyn Rows: Scan<R>,
{
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let answer = |filter: &&Expr| {
            let known = Constraints::of([*filter]);
            let is_used = known.columns().any(|column| self.table.info.pushed.contains(&column));
            if is_used {
                // The source may return more than what matches.
                TableProviderFilterPushDown::Inexact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = QuerySnapshot::of(state)?.rows().await?;
        let columns: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&columns)?);
        // That of the rows is beyond those of the table.
        let of_table = columns.iter().filter_map(|column| self.table.columns.get(*column));
        let mut parts = Vec::new();
        for part in of_table.flat_map(|column| column.parts) {
            if !parts.contains(part) {
                parts.push(*part);
            }
        }
        let filter = (self.table.filter)(&Constraints::of(filters));
        let partitions = if self.table.info.is_partitioned { rows.partitions() } else { 1 };
        let properties = properties(Arc::clone(&schema), partitions, None);
        Ok(Arc::new(TableScan {
            table: Arc::clone(&self.table),
            schema,
            columns,
            wanted: Wanted { filter, parts, order: None, is_counted: self.is_counted },
            rows,
            limit,
            properties,
        }))
    }
}

fn properties(
    schema: SchemaRef,
    partitions: u16,
    order: Option<LexOrdering>,
) -> Arc<PlanProperties> {
    let mut equivalence = EquivalenceProperties::new(schema);
    equivalence.add_orderings(order);
    let partitioning = Partitioning::UnknownPartitioning(usize::from(partitions));
    let (emission, boundedness) = (EmissionType::Incremental, Boundedness::Bounded);
    Arc::new(PlanProperties::new(equivalence, partitioning, emission, boundedness))
}

/// The scan of a table.
struct TableScan<R: Record> {
    table: Arc<Table<R>>,
    schema: SchemaRef,
    columns: Vec<usize>,
    wanted: Wanted<R>,
    rows: Arc<dyn Rows>,
    /// Records to read of each partition.
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl<R: Record> Clone for TableScan<R> {
    fn clone(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
            schema: Arc::clone(&self.schema),
            columns: self.columns.clone(),
            wanted: self.wanted.clone(),
            rows: Arc::clone(&self.rows),
            limit: self.limit,
            properties: Arc::clone(&self.properties),
        }
    }
}

impl<R: Record> TableScan<R> {
    fn partitions(&self) -> u16 {
        // The number comes from a u16.
        u16::try_from(self.properties.output_partitioning().partition_count()).unwrap_or(u16::MAX)
    }

    /// The direction in which the source has to read so that the records are in this order, if it
    /// can.
    fn direction(&self, order: &[PhysicalSortExpr]) -> Option<Direction> {
        let [by] = order else { return None };
        let column = (&*by.expr as &dyn Any).downcast_ref::<Column>()?;
        let source_order = (self.table.order)(&self.wanted.filter)?;
        // The columns that order records are never null, so it doesn't matter where nulls go.
        let SortOptions { descending, nulls_first: _ } = by.options;
        let direction = if descending { Direction::Descending } else { Direction::Ascending };
        (column.name() == source_order).then_some(direction)
    }

    fn batch(&self, Page { records, counts, .. }: &Page<R>) -> Result<RecordBatch> {
        let array = |column: &usize| match self.table.columns.get(*column) {
            Some(column) => tight(&column.array(records)),
            None => rows(counts.as_ref(), records.len()),
        };
        let arrays = self.columns.iter().map(array);
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(schema, arrays.collect(), &options)?)
    }
}

/// How many rows each of some records stands for: one, unless they are counted.
fn rows(counts: Option<&Vec<u64>>, records: usize) -> ArrayRef {
    // There are far fewer rows than this type can count.
    let count = |count: &u64| i64::try_from(*count).unwrap_or(i64::MAX);
    Arc::new(match counts {
        Some(counts) => Int64Array::from_iter_values(counts.iter().map(count)),
        None => Int64Array::from_value(1, records),
    })
}

impl<R: Record> fmt::Debug for TableScan<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.table.info.name, self.wanted)
    }
}

impl<R: Record> DisplayAs for TableScan<R> {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.table.info.name, self.wanted)?;
        self.limit.map_or(Ok(()), |limit| write!(f, ", limit {limit}"))
    }
}

impl<R: Record> ExecutionPlan for TableScan<R>
where
    dyn Rows: Scan<R>,
{
    fn name(&self) -> &'static str {
        "TableScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(Self { limit, ..self.clone() }))
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let Some(direction) = self.direction(order) else {
            return Ok(SortOrderPushdownResult::Unsupported);
        };
        let order = LexOrdering::new(order.iter().cloned());
        let inner = Arc::new(Self {
            wanted: Wanted { order: Some(direction), ..self.wanted.clone() },
            properties: properties(Arc::clone(&self.schema), self.partitions(), order),
            ..self.clone()
        });
        Ok(SortOrderPushdownResult::Exact { inner })
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let partition = u16::try_from(partition)
            .map_err(|_| DataFusionError::Internal(format!("there is no partition {partition}")))?;
        let claims = Claims::of(context.memory_pool(), "rows that are read");
        let pages = Pages {
            scan: self.clone(),
            partition,
            next: Some(None),
            rows_max: FIRST_ROWS,
            rows_left: self.limit.unwrap_or(usize::MAX),
            claims,
        };
        let batches = stream::try_unfold(pages, |mut pages| async move {
            Ok(pages.next()?.map(|batch| (batch, pages)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// The pages of one partition.
struct Pages<R: Record> {
    scan: TableScan<R>,
    partition: u16,
    /// Where the next page begins; `None` after the last one.
    next: Option<Option<Cursor>>,
    rows_max: usize,
    rows_left: usize,
    claims: Claims,
}

impl<R: Record> Pages<R>
where
    dyn Rows: Scan<R>,
{
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.rows_left > 0 {
            let Some(batch) = self.read()? else { break };
            if batch.num_rows() == 0 {
                continue;
            }
            let batch = batch.slice(0, batch.num_rows().min(self.rows_left));
            self.rows_left -= batch.num_rows();
            batch.columns().iter().try_for_each(|column| self.claims.claim(column))?;
            return Ok(Some(batch));
        }
        Ok(None)
    }

    /// The next batch, which may be empty; `None` at the end.
    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let Some(after) = self.next.take() else { return Ok(None) };
        let limit = PageLimit { rows_max: self.rows_max.min(self.rows_left), bytes_max: BYTES_MAX };
        self.rows_max = (self.rows_max * 2).min(ROWS_MAX);
        let rows: &dyn Rows = &*self.scan.rows;
        let page = rows
            .scan(self.partition, &self.scan.wanted, after.as_ref(), limit)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let batch = self.scan.batch(&page)?;
        self.next = page.rest_after.map(Some);
        Ok(Some(batch))
    }
}
