//! PostgreSQL's system tables, with what psql asks of them and the library lacks.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    arrow::datatypes::{DataType, Field},
    catalog::{SchemaProvider, TableProvider},
    common::{Result, ScalarValue},
    datasource::{ViewTable, provider_as_source},
    logical_expr::LogicalPlanBuilder,
    prelude::{Expr, col, lit},
};

/// Adds columns to some of the tables, and the comments on ours.
#[derive(Debug)]
pub(super) struct SystemTables {
    pub(super) tables: Arc<dyn SchemaProvider>,
    /// Takes the place of the library's, which is about PostgreSQL's own functions.
    pub(super) descriptions: Option<Arc<dyn TableProvider>>,
}

/// The table of comments.
pub(super) const DESCRIPTIONS: &str = "pg_description";

/// The table that lacks columns: the options of tables, and who may use them. Both are lists of
/// texts, and null for all tables here.
const LACKING: &str = "pg_class";
const LACKED: [&str; 2] = ["reloptions", "relacl"];

#[async_trait]
impl SchemaProvider for SystemTables {
    fn table_names(&self) -> Vec<String> {
        self.tables.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if name == DESCRIPTIONS && self.descriptions.is_some() {
            return Ok(self.descriptions.clone());
        }
        let Some(table) = self.tables.table(name).await? else { return Ok(None) };
        if name != LACKING {
            return Ok(Some(table));
        }
        let known = table.schema();
        let mut columns: Vec<Expr> =
            known.fields().iter().map(|field| col(field.name().as_str())).collect();
        let texts = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        for lacked in LACKED.iter().filter(|name| known.field_with_name(name).is_err()) {
            columns.push(lit(ScalarValue::try_from(&texts)?).alias(*lacked));
        }
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?;
        let plan = plan.project(columns)?.build()?;
        Ok(Some(Arc::new(ViewTable::new(plan, None))))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.table_exist(name)
    }
}
