//! Functions of PostgreSQL that clients call about the catalogue, and whose answer is always the
//! same here.

use datafusion::{
    arrow::datatypes::DataType,
    common::{Result, ScalarValue},
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
    prelude::SessionContext,
};

use crate::session_settings::SERVER_VERSION;

/// A function that ignores its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// Whether something is in the search path: there is one schema, and it is.
const VISIBLE: [&str; 10] = [
    "pg_function_is_visible",
    "pg_type_is_visible",
    "pg_operator_is_visible",
    "pg_opclass_is_visible",
    "pg_opfamily_is_visible",
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_statistics_obj_is_visible",
];

/// Texts about what does not exist here: nothing has such a definition or comment.
const NO_TEXT: [&str; 11] = [
    "pg_size_pretty",
    "pg_get_function_result",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_functiondef",
    "pg_get_viewdef",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_triggerdef",
    "pg_get_serial_sequence",
    "shobj_description",
];

pub(super) fn register(context: &SessionContext) {
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let version =
        format!("PostgreSQL {SERVER_VERSION} (abide {}), read-only", env!("CARGO_PKG_VERSION"));
    let mut constants = vec![
        ("version", text(&version)),
        ("pg_is_in_recovery", ScalarValue::Boolean(Some(false))),
        ("pg_is_other_temp_schema", ScalarValue::Boolean(Some(false))),
        ("pg_advisory_unlock_all", ScalarValue::Utf8(None)),
        ("pg_my_temp_schema", ScalarValue::Int32(Some(0))),
        ("pg_tablespace_location", text("")),
        ("pg_char_to_encoding", ScalarValue::Int32(Some(6))),
        ("pg_table_size", ScalarValue::Int64(None)),
        ("pg_indexes_size", ScalarValue::Int64(None)),
        ("pg_database_size", ScalarValue::Int64(None)),
    ];
    constants.extend(VISIBLE.map(|name| (name, ScalarValue::Boolean(Some(true)))));
    constants.extend(NO_TEXT.map(|name| (name, ScalarValue::Utf8(None))));
    for (name, value) in constants {
        let signature = Signature::one_of(
            vec![
                datafusion::logical_expr::TypeSignature::Nullary,
                datafusion::logical_expr::TypeSignature::VariadicAny,
            ],
            Volatility::Immutable,
        );
        context.register_udf(ScalarUDF::new_from_impl(Constant { name, value, signature }));
    }
}
