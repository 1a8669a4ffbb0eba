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

/// Adds columns to some of the tables.
#[derive(Debug)]
pub(super) struct SystemTables(pub(super) Arc<dyn SchemaProvider>);

/// The table that lacks columns: the options of tables, and who may use them. Both are lists of
/// texts, and null for all tables here.
const LACKING: &str = "pg_class";
const LACKED: [&str; 2] = ["reloptions", "relacl"];

#[async_trait]
impl SchemaProvider for SystemTables {
    fn table_names(&self) -> Vec<String> {
        self.0.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(table) = self.0.table(name).await? else { return Ok(None) };
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
        self.0.table_exist(name)
    }
}
