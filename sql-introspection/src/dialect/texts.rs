//! Values that become texts are written as PostgreSQL writes them, by whatever they become one: a cast,
//! `||`, or a function of texts. The engine writes times, bytes and arrays as it likes.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, ListArray},
        compute::cast,
        datatypes::{DataType, Field},
    },
    common::{DFSchema, DataFusionError, Result, ScalarValue, exec_err, tree_node::Transformed},
    logical_expr::{
        Cast, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility,
    },
};

use crate::text_form;

/// How many bytes of texts are made at once: as much as a function may return.
const BYTES_MAX: usize = 32 << 20;

/// The functions that write truth values as clients see them, and not as a cast does.
const WRITING: [&str; 2] = ["concat", "concat_ws"];

/// Writes what is cast to a text.
pub(super) fn written(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others write nothing")]
    match expr {
        Expr::Cast(cast) => written_cast(cast, schema),
        Expr::ScalarFunction(mut call) if WRITING.contains(&call.func.name()) => {
            let mut is_changed = false;
            for argument in &mut call.args {
                if let Expr::Cast(Cast { expr, .. }) = argument
                    && expr.get_type(schema).is_ok_and(|ty| ty == DataType::Boolean)
                {
                    *argument = TEXT.call(vec![(**expr).clone()]);
                    is_changed = true;
                }
            }
            Transformed::new_transformed(Expr::ScalarFunction(call), is_changed)
        }
        other => Transformed::no(other),
    }
}

fn written_cast(cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
    let Cast { expr: value, field } = cast;
    let function = match (value.get_type(schema), field.data_type()) {
        (Ok(from), to) if to.is_string() && text_form::differs(&from) => &TEXT,
        (Ok(DataType::List(from)), DataType::List(to))
            if to.data_type().is_string() && text_form::differs(from.data_type()) =>
        {
            &TEXTS
        }
        _ => return Transformed::no(Expr::Cast(Cast { expr: value, field })),
    };
    let text = function.call(vec![*value]);
    let is_made = matches!(field.data_type(), DataType::Utf8 | DataType::List(_));
    Transformed::yes(if is_made { text } else { Expr::Cast(Cast { expr: Box::new(text), field }) })
}

static TEXT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| text(false));
static TEXTS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| text(true));

fn text(of_elements: bool) -> Arc<ScalarUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Text { of_elements, signature }))
}

/// The text of a value, or those of an array's elements.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Text {
    of_elements: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Text {
    fn name(&self) -> &'static str {
        if self.of_elements { "texts_of" } else { "text_of" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.of_elements {
            true => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            false => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = &called.args[..] else { return exec_err!("{} takes one value", self.name()) };
        let is_same = matches!(value, ColumnarValue::Scalar(_));
        let values = value.to_array(if is_same { 1 } else { called.number_rows })?;
        let texts = if self.of_elements { of_elements(&values)? } else { of_values(&values)? };
        if is_same {
            return ScalarValue::try_from_array(&texts, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(texts))
    }
}

/// The texts of values, as one kind of texts.
pub(super) fn of_values(values: &ArrayRef) -> Result<ArrayRef> {
    let texts = text_form::texts(values, BYTES_MAX);
    let texts = texts.map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(cast(&texts, &DataType::Utf8)?)
}

fn of_elements(values: &ArrayRef) -> Result<ArrayRef> {
    let lists = values.as_list::<i32>();
    let texts = of_values(lists.values())?;
    let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let offsets = lists.offsets().clone();
    Ok(Arc::new(ListArray::try_new(field, offsets, texts, lists.nulls().cloned())?))
}
