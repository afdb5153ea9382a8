//! Figures as pictures: a bar for each server, its range as a line on it.

use std::path::Path;

use plotters::prelude::{
    BLACK, Color, DrawingAreaErrorKind, DrawingBackend, IntoDrawingArea, IntoFont, PathElement, RGBColor,
    Rectangle, SVGBackend, Text, WHITE,
};

/// One server's figure.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) median: f64,
    pub(crate) range: (f64, f64),
    /// Whether it is the one that the others are compared with.
    pub(crate) is_ours: bool,
}

/// In pixels.
const WIDTH: i32 = 760;
const TOP: i32 = 48;
const ROW: i32 = 34;
const LEFT: i32 = 220;
const RIGHT: i32 = 90;

const OURS: RGBColor = RGBColor(0x2f, 0x6f, 0xed);
const OTHERS: RGBColor = RGBColor(0xa9, 0xb4, 0xc4);

/// Why a picture is not there.
pub(crate) type Undrawn = DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>;

/// Draws the bars into an SVG file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn draw(file: &Path, title: &str, bars: &[Bar]) -> Result<(), Undrawn> {
    let rows = i32::try_from(bars.len()).unwrap_or(i32::MAX);
    let size = (WIDTH.unsigned_abs(), (TOP + rows * ROW + ROW / 2).unsigned_abs());
    let area = SVGBackend::new(file, size).into_drawing_area();
    let (large, small) = (("sans-serif", 17).into_font(), ("sans-serif", 14).into_font());
    area.fill(&WHITE)?;
    area.draw(&Text::new(title.to_owned(), (16, 14), large))?;
    let longest = bars.iter().map(|bar| bar.range.1).fold(f64::MIN_POSITIVE, f64::max);
    #[expect(clippy::cast_possible_truncation, reason = "within the picture's width")]
    let at = |value: f64| LEFT + (value / longest * f64::from(WIDTH - LEFT - RIGHT)).round() as i32;
    let mut top = TOP;
    for bar in bars {
        let color = if bar.is_ours { OURS } else { OTHERS };
        let (bottom, middle) = (top + ROW - 10, top + (ROW - 10) / 2);
        area.draw(&Text::new(bar.label.clone(), (16, top + 4), small.clone()))?;
        area.draw(&Rectangle::new([(LEFT, top), (at(bar.median), bottom)], color.filled()))?;
        area.draw(&PathElement::new([(at(bar.range.0), middle), (at(bar.range.1), middle)], BLACK))?;
        area.draw(&Text::new(format!("{:.1}", bar.median), (at(bar.range.1) + 8, top + 4), small.clone()))?;
        top += ROW;
    }
    area.present()
}
