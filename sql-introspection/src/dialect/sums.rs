//! Sums as PostgreSQL adds them up: those of large integers are numeric. The engine's begin anew where
//! an integer ends.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, FieldRef, IntervalUnit},
    common::{Result, plan_err},
    execution::FunctionRegistry,
    functions_aggregate::sum::sum_udaf,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature,
        Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
};

use super::interval_sums::IntervalSum;

/// As what intervals are summed.
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// As what large integers are summed.
pub(crate) const SUMMED: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

/// Registers the sum in place of the engine's.
///
/// # Errors
/// Returns an error if the engine takes no more functions.
pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::user_defined(Volatility::Immutable);
    let sum = Sum { engines: sum_udaf(), signature };
    functions.register_udaf(Arc::new(AggregateUDF::new_from_impl(sum)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    engines: Arc<AggregateUDF>,
    signature: Signature,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the engine knows the others")]
        let type_of = |ty: &DataType| match ty {
            DataType::Interval(_) => Some(INTERVAL),
            DataType::Int8 | DataType::Int16 | DataType::Int32 => Some(DataType::Int64),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Some(DataType::UInt64),
            DataType::Int64 | DataType::UInt64 => Some(SUMMED),
            DataType::Float16 | DataType::Float32 | DataType::Null => Some(DataType::Float64),
            ty if ty.is_numeric() => Some(ty.clone()),
            DataType::Duration(_) => Some(ty.clone()),
            _ => None,
        };
        let [ty] = types else {
            return plan_err!("sum takes one argument");
        };
        match type_of(ty) {
            Some(ty) => Ok(vec![ty]),
            None => plan_err!("Invalid function 'sum' of {ty}: only numbers and intervals add up"),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if matches!(args.return_field.data_type(), DataType::Interval(_)) {
            return Ok(Box::new(IntervalSum::default()));
        }
        self.engines.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.engines.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        let is_interval = matches!(args.return_field.data_type(), DataType::Interval(_));
        !is_interval && self.engines.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.engines.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if matches!(args.return_field.data_type(), DataType::Interval(_)) {
            return Ok(Box::new(IntervalSum::default()));
        }
        self.engines.create_sliding_accumulator(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}
