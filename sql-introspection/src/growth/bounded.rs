//! A function that is not called if it would return too much, and whose values are counted.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::ArrayRef,
        compute,
        datatypes::{DataType, Field, FieldRef},
    },
    common::{Result, ScalarValue, resources_err},
    logical_expr::{
        ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs,
        ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, StructFieldMapping,
        interval_arithmetic::Interval,
        preimage::PreimageResult,
        simplify::{ExprSimplifyResult, SimplifyContext},
        sort_properties::{ExprProperties, SortProperties},
    },
};

use super::{estimates, own::OwnMemory};
use crate::{abandoned::Abandoned, of_query::OfQuery};

/// How much a function may return for one batch of rows, in bytes: as much as the largest value that
/// can be stored.
const BYTES_MAX: u64 = 32 << 20;

/// How many steps a function may take for one batch of rows: a second or two. It cannot be
/// interrupted.
const STEPS_MAX: u64 = 1 << 31;

/// Rows that are searched at once where each has a pattern of its own. A short pattern can take
/// ten megabytes once it is understood, and those of a batch are all kept to its end.
const PATTERNS_MAX: usize = 16;

/// A bounded function.
#[derive(Debug)]
pub(super) struct Bounded {
    inner: Arc<ScalarUDF>,
}

impl Bounded {
    /// Bounds a function, unless it is already.
    pub(super) fn around(inner: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
        let known: &dyn Any = &**inner.inner();
        if known.is::<Self>() {
            return inner;
        }
        Arc::new(ScalarUDF::new_from_impl(Self { inner }))
    }

    fn call(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Abandoned::check(&called.config_options)?;
        let returned = called.return_field.data_type();
        let bytes = estimates::of(self.name(), returned, &called.args, called.number_rows);
        if bytes > BYTES_MAX {
            let name = self.name();
            return resources_err!(
                "{name} would return {bytes} bytes, and may return {BYTES_MAX} at once"
            );
        }
        let steps = estimates::steps_of(self.name(), &called.args, called.number_rows);
        if steps > STEPS_MAX {
            let name = self.name();
            return resources_err!(
                "{name} would take {steps} steps, and may take {STEPS_MAX} at once"
            );
        }
        let config = Arc::clone(&called.config_options);
        let returned = self.call_within(called)?;
        if let Some(memory) = OwnMemory::find(&config) {
            memory.count(&returned)?;
        }
        Ok(returned)
    }

    /// Calls the function, which has to be promised what it returns: no view, unless it makes one.
    fn call_within(&self, mut called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let promised = Arc::clone(&called.return_field);
        let constants: Vec<_> = called
            .args
            .iter()
            .map(|it| match it {
                ColumnarValue::Scalar(value) => Some(value),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        called.return_field = self.inner.return_field_from_args(ReturnFieldArgs {
            arg_fields: &called.arg_fields,
            scalar_arguments: &constants,
        })?;
        let is_as_promised = called.return_field.data_type() == promised.data_type();
        let returned = self.inner.invoke_with_args(called)?;
        if is_as_promised { Ok(returned) } else { returned.cast_to(promised.data_type(), None) }
    }

    /// Calls the function for a few rows after others.
    fn call_by_parts(&self, called: &ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut parts: Vec<ArrayRef> = Vec::new();
        for from in (0..called.number_rows).step_by(PATTERNS_MAX) {
            let rows = PATTERNS_MAX.min(called.number_rows - from);
            let part = |argument: &ColumnarValue| match argument {
                ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
                ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
            };
            let args = called.args.iter().map(part).collect();
            let called = ScalarFunctionArgs { args, number_rows: rows, ..called.clone() };
            parts.push(self.call(called)?.into_array(rows)?);
        }
        let parts: Vec<_> = parts.iter().map(|part| &**part).collect();
        Ok(ColumnarValue::Array(compute::concat(&parts)?))
    }
}

/// A text or bytes as a view: what repeats it does not copy it.
fn view(returned: &FieldRef) -> FieldRef {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others are no texts")]
    let ty = match returned.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        _ => return Arc::clone(returned),
    };
    Arc::new(Field::clone(returned).with_data_type(ty))
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

/// What is known of the function within is known of this one.
impl ScalarUDFImpl for Bounded {
    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let has_patterns = matches!(called.args.get(1), Some(ColumnarValue::Array(_)));
        if has_patterns && called.number_rows > PATTERNS_MAX && estimates::is_search(self.name()) {
            return self.call_by_parts(&called);
        }
        self.call(called)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments).map(|returned| view(&returned))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        self.inner.schema_name(arguments)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn simplify(
        &self,
        arguments: Vec<Expr>,
        context: &SimplifyContext,
    ) -> Result<ExprSimplifyResult> {
        // It would become the operator again, which searches for all patterns of a batch at once.
        let has_patterns = !matches!(arguments.get(1), Some(Expr::Literal(..)));
        if has_patterns && estimates::is_search(self.name()) {
            return Ok(ExprSimplifyResult::Original(arguments));
        }
        self.inner.simplify(arguments, context)
    }

    fn preimage(
        &self,
        arguments: &[Expr],
        literal: &Expr,
        context: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.inner.preimage(arguments, literal, context)
    }

    fn conditional_arguments<'a>(
        &self,
        arguments: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(arguments)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(inputs)
    }

    fn propagate_constraints(
        &self,
        interval: &Interval,
        inputs: &[&Interval],
    ) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn struct_field_mapping(
        &self,
        arguments: &[Option<ScalarValue>],
    ) -> Option<StructFieldMapping> {
        self.inner.struct_field_mapping(arguments)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.inner().strictly_order_preserving(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(arguments)
    }
}
