//! `current_setting(name)` and `set_config(name, value, is_local)`, which ask and change the settings
//! of the session when the query runs.

use std::hash::{Hash, Hasher};
use std::ptr;
use std::sync::{Arc, PoisonError};

use datafusion::{
    arrow::{
        array::{ArrayRef, StringArray},
        datatypes::DataType,
    },
    common::{
        DataFusionError, Result, ScalarValue,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        TypeSignature, Volatility,
    },
};

use crate::{
    arguments::{argument, text},
    error::SqlError,
    session_settings::{Scope, SharedSettings, default_setting},
};

/// Asks for a setting.
pub(crate) const CURRENT_SETTING: &str = "current_setting";
/// Changes a setting.
const SET_CONFIG: &str = "set_config";

/// Without a session, settings are what they are by default, and cannot be changed.
pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    for name in [CURRENT_SETTING, SET_CONFIG] {
        functions.register_udf(Arc::new(of_session(name, None)))?;
    }
    Ok(())
}

/// Lets the calls in a plan ask and change the settings of a session.
///
/// # Errors
/// Returns an error if the plan cannot be changed, which is a fault of this software.
pub(crate) fn in_session(plan: LogicalPlan, settings: &SharedSettings) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| {
            expr.transform_up(|expr| {
                let Expr::ScalarFunction(mut called) = expr else {
                    return Ok(Transformed::no(expr));
                };
                let name =
                    [CURRENT_SETTING, SET_CONFIG].into_iter().find(|it| *it == called.name());
                if let Some(name) = name {
                    called.func = Arc::new(of_session(name, Some(Arc::clone(settings))));
                }
                Ok(Transformed::new_transformed(Expr::ScalarFunction(called), name.is_some()))
            })
        })
    });
    plan.data()
}

fn of_session(name: &'static str, settings: Option<SharedSettings>) -> ScalarUDF {
    let (text, bool) = (DataType::Utf8, DataType::Boolean);
    let signature = if name == SET_CONFIG {
        Signature::exact(vec![text.clone(), text, bool], Volatility::Volatile)
    } else {
        let alone = TypeSignature::Exact(vec![text.clone()]);
        let or_null = TypeSignature::Exact(vec![text, bool]);
        Signature::one_of(vec![alone, or_null], Volatility::Stable)
    };
    ScalarUDF::new_from_impl(OfSession { name, settings, signature })
}

#[derive(Debug)]
struct OfSession {
    name: &'static str,
    settings: Option<SharedSettings>,
    signature: Signature,
}

impl OfSession {
    /// Which session it is of.
    fn session(&self) -> *const () {
        self.settings.as_ref().map_or(ptr::null(), |settings| Arc::as_ptr(settings).cast())
    }

    fn show(&self, name: &str) -> Result<String, SqlError> {
        match &self.settings {
            Some(settings) => settings.lock().unwrap_or_else(PoisonError::into_inner).show(name),
            None => default_setting(&name.to_lowercase()).map(str::to_owned),
        }
    }

    /// What a call returns for a row of its arguments.
    fn call(&self, arguments: &[ColumnarValue], row: usize) -> Result<Option<String>, SqlError> {
        let flag = |at| argument(arguments, at, row) == Some(ScalarValue::Boolean(Some(true)));
        let name = text(arguments, 0, row);
        if self.name == CURRENT_SETTING {
            let Some(name) = name else { return Ok(None) };
            return match self.show(&name) {
                Err(_) if flag(1) => Ok(None),
                shown => shown.map(Some),
            };
        }
        let name = name.ok_or_else(|| SqlError::new("22004", "SET requires parameter name"))?;
        let Some(settings) = &self.settings else {
            let what = "there is no session whose settings could be changed";
            return Err(SqlError::new("0A000", what).hint("connect with PostgreSQL's protocol"));
        };
        let scope = if flag(2) { Scope::Transaction } else { Scope::Session };
        let value = text(arguments, 1, row);
        let mut settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.set(&name, value.as_deref(), scope)?;
        settings.show(&name).map(Some)
    }
}

impl PartialEq for OfSession {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && ptr::eq(self.session(), other.session())
    }
}

impl Eq for OfSession {}

impl Hash for OfSession {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.session()).hash(state);
    }
}

impl ScalarUDFImpl for OfSession {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let returned = (0..called.number_rows).map(|row| {
            let returned = self.call(&called.args, row);
            returned.map_err(|error| DataFusionError::External(Box::new(error)))
        });
        let returned = returned.collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(returned) as ArrayRef))
    }
}
