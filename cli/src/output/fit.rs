//! Which columns of a table a terminal has space for, and how wide they are there.

/// The space for a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space<'a> {
    /// How many columns the terminal has.
    pub(crate) width: usize,
    /// The columns of the table that it can do without, the least important first.
    pub(crate) least: &'a [&'a str],
}

/// A column that wants space.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// How wide its widest value is.
    pub(super) width: usize,
    /// Whether no row has a value there.
    pub(super) is_empty: bool,
}

/// How wide a column may be while there are others that could be left out: as wide as an id, or a
/// time.
const FAIR_WIDTH: usize = 40;
/// How narrow a column is made before the table is wider than the terminal after all.
const WIDTH_MIN: usize = 8;

/// The width that each column gets; `None` for one that is left out. The first column, which says
/// what the row is about, is whole.
pub(super) fn fit(columns: &[Wanted<'_>], space: Space<'_>) -> Vec<Option<usize>> {
    let fair = |(at, column): (usize, &Wanted<'_>)| match at {
        0 => Some(column.width),
        _ => Some(column.width.min(FAIR_WIDTH)),
    };
    let full: Vec<_> = columns.iter().map(|column| Some(column.width)).collect();
    if taken(&full) <= space.width {
        return full;
    }
    let mut widths: Vec<_> = columns.iter().enumerate().map(fair).collect();
    let empty = (1..columns.len()).filter(|at| columns[*at].is_empty);
    let least =
        space.least.iter().filter_map(|name| columns.iter().position(|it| it.name == *name));
    for at in empty.chain(least.filter(|at| *at > 0)) {
        if taken(&widths) <= space.width {
            break;
        }
        widths[at] = None;
    }
    squeeze(&mut widths, space.width);
    widen(&mut widths, columns, space.width);
    widths
}

/// The width of a line: a space, and what stands between the columns.
fn taken(widths: &[Option<usize>]) -> usize {
    widths.iter().flatten().map(|width| width + 3).sum::<usize>().saturating_sub(1)
}

/// Makes the widest columns narrower, as far as that goes.
fn squeeze(widths: &mut [Option<usize>], space: usize) {
    loop {
        let excess = taken(widths).saturating_sub(space);
        let others = widths.iter_mut().skip(1).flatten();
        let Some(widest) = others.max().filter(|it| excess > 0 && **it > WIDTH_MIN) else { return };
        // One step at a time, so that the widest share what is missing.
        *widest -= 1;
    }
}

/// Gives what is left to columns that could use it.
fn widen(widths: &mut [Option<usize>], columns: &[Wanted<'_>], space: usize) {
    let mut left = space.saturating_sub(taken(widths));
    for (width, column) in widths.iter_mut().zip(columns) {
        if let Some(width) = width {
            let more = column.width.saturating_sub(*width).min(left);
            *width += more;
            left -= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: [&str; 2] = ["created", "since"];

    fn columns(widths: [(&'static str, usize); 5]) -> Vec<Wanted<'static>> {
        let wanted = |(name, width)| Wanted { name, width, is_empty: width == 0 };
        widths.map(wanted).to_vec()
    }

    fn fitted(widths: [(&'static str, usize); 5], width: usize) -> Vec<Option<usize>> {
        fit(&columns(widths), Space { width, least: &LEAST })
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let wide = [("id", 38), ("target", 20), ("since", 24), ("created", 24), ("failure", 100)];
        let all = [38, 20, 24, 24, 100].map(Some);
        assert_eq!(fitted(wide, 300), all);
        assert_eq!(taken(&all), 220);
        assert_eq!(fitted(wide, 220), all);
    }

    #[test]
    fn the_least_important_go_first_and_long_values_are_cut() {
        let wide = [("id", 38), ("target", 20), ("since", 24), ("created", 24), ("failure", 100)];
        let without_created = [Some(38), Some(20), Some(24), None, Some(46)];
        assert_eq!(fitted(wide, 139), without_created);
        let without_both = [Some(38), Some(20), None, None, Some(34)];
        assert_eq!(fitted(wide, 100), without_both);
        let squeezed = [Some(38), Some(16), None, None, Some(18)];
        assert_eq!(fitted(wide, 80).iter().flatten().sum::<usize>(), 72);
        assert_eq!(fitted(wide, 80)[..1], squeezed[..1], "the id is whole");
    }

    #[test]
    fn columns_without_values_go_before_all_others() {
        let sparse = [("id", 38), ("target", 20), ("since", 24), ("created", 24), ("failure", 0)];
        let expected = [Some(38), Some(20), Some(24), Some(24), None];
        assert_eq!(fitted(sparse, 118), expected);
    }

    #[test]
    fn a_terminal_may_be_too_narrow_for_anything() {
        let wide = [("id", 38), ("target", 20), ("since", 24), ("created", 24), ("failure", 100)];
        assert_eq!(fitted(wide, 10), [Some(38), Some(8), None, None, Some(8)]);
    }
}
