//! Places on earth in whole micro-degrees, circles and polygons around them. Integers only, so that every machine decides alike.

use std::fmt;

const DEGREE: i64 = 1_000_000;
/// Length of a millionth of a degree of latitude, in micrometres (mean radius 6,371,008.8 m).
const MICRO_DEGREE_UM: i64 = 111_195;
/// Largest radius of a circle, in metres; within it the flat reckoning is right to about one part in a thousand.
pub const RADIUS_MAX_M: i64 = 200_000;
pub const CORNERS_MAX: usize = 100;

/// Latitude −90 to 90 and longitude −180 to 180, in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GeoPoint {
    lat: i32,
    lon: i32,
}

/// A part of the earth's surface; its border belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Area {
    /// `radius_m`: 1 to [`RADIUS_MAX_M`].
    Circle { centre: GeoPoint, radius_m: i64 },
    /// 3 to [`CORNERS_MAX`] corners, closed by itself; must not cross the 180th meridian.
    Polygon(Box<[GeoPoint]>),
}

impl GeoPoint {
    /// In millionths of a degree; `None` outside of the earth.
    pub fn new(lat: i32, lon: i32) -> Option<Self> {
        let inside = lat.unsigned_abs() <= 90_000_000 && lon.unsigned_abs() <= 180_000_000;
        inside.then_some(Self { lat, lon })
    }

    pub fn lat_micro(self) -> i32 {
        self.lat
    }

    pub fn lon_micro(self) -> i32 {
        self.lon
    }

    /// Reads two decimal numbers of degrees; digits after the sixth decimal are cut off.
    pub fn parse(lat: &str, lon: &str) -> Option<Self> {
        Self::new(parse_micro(lat)?, parse_micro(lon)?)
    }

    /// Distance in whole millimetres as on a flat map around both points: right to a thousandth within 200 km.
    pub fn distance_mm(self, other: Self) -> i64 {
        let (north, east) = self.offset_mm(other);
        (i128::from(north).pow(2) + i128::from(east).pow(2)).isqrt() as i64
    }

    /// How far `other` lies north and east of this point, in millimetres.
    fn offset_mm(self, other: Self) -> (i64, i64) {
        let north = i64::from(other.lat) - i64::from(self.lat);
        let mut east = i64::from(other.lon) - i64::from(self.lon);
        if east > 180 * DEGREE {
            east -= 360 * DEGREE;
        } else if east < -180 * DEGREE {
            east += 360 * DEGREE;
        }
        let middle = (i64::from(self.lat) + i64::from(other.lat)) / 2;
        let shrunk = (i128::from(east * MICRO_DEGREE_UM) * i128::from(cosine(middle))) >> COSINE_BITS;
        (north * MICRO_DEGREE_UM / 1_000, (shrunk / 1_000) as i64)
    }
}

const COSINE_BITS: u32 = 30;

/// Cosine of an angle of −90 to 90 degrees in millionths, as a whole number of 2⁻³⁰; its error is below 2⁻²⁰.
fn cosine(micro_degrees: i64) -> i64 {
    const ONE: i64 = 1 << COSINE_BITS;
    // π / 180,000,000 in units of 2⁻⁶⁰, so that the product of both fits 64 bits.
    const RADIAN: i128 = 20_122_276_272;
    let angle = ((i128::from(micro_degrees) * RADIAN) >> COSINE_BITS) as i64;
    let square = (angle * angle) >> COSINE_BITS;
    // 1 − x²/2 (1 − x²/12 (1 − x²/30 (1 − x²/56 (1 − x²/90 (1 − x²/132)))))
    let series = [132, 90, 56, 30, 12, 2];
    let folded = series
        .into_iter()
        .fold(ONE, |inner, divisor| ONE - ((square * inner) >> COSINE_BITS) / divisor);
    folded.max(0)
}

impl Area {
    pub fn contains(&self, point: GeoPoint) -> bool {
        match self {
            Self::Circle { centre, radius_m } => {
                let reach = radius_m * 1_000;
                let (north, east) = centre.offset_mm(point);
                north.abs() <= reach
                    && east.abs() <= reach
                    && i128::from(north).pow(2) + i128::from(east).pow(2) <= i128::from(reach).pow(2)
            }
            Self::Polygon(corners) => polygon_contains(corners, point),
        }
    }

    /// Reads `circle(LAT LON METRES)` and `polygon(LAT LON, LAT LON, …)`.
    pub fn parse(text: &str) -> Option<Self> {
        let (shape, inner) = text.strip_suffix(')')?.split_once('(')?;
        match shape.trim() {
            "circle" => {
                let [lat, lon, radius] = words(inner)?;
                let radius_m: i64 = radius.parse().ok()?;
                let centre = GeoPoint::parse(lat, lon)?;
                let fits = (1..=RADIUS_MAX_M).contains(&radius_m);
                fits.then_some(Self::Circle { centre, radius_m })
            }
            "polygon" => {
                let corners = inner.split(',').map(|corner| {
                    let [lat, lon] = words(corner)?;
                    GeoPoint::parse(lat, lon)
                });
                let corners: Box<[GeoPoint]> = corners.collect::<Option<_>>()?;
                let fits = (3..=CORNERS_MAX).contains(&corners.len());
                fits.then_some(Self::Polygon(corners))
            }
            _ => None,
        }
    }
}

fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.try_into().ok()
}

/// Counts the edges that a ray to the east crosses; a point on an edge is inside.
fn polygon_contains(corners: &[GeoPoint], point: GeoPoint) -> bool {
    let mut inside = false;
    let mut previous = corners[corners.len() - 1];
    for &corner in corners {
        let side = side_of(previous, corner, point);
        if side == 0 && between(previous.lat, corner.lat, point.lat) && between(previous.lon, corner.lon, point.lon) {
            return true;
        }
        if (previous.lat > point.lat) != (corner.lat > point.lat) && (side > 0) == (corner.lat > previous.lat) {
            inside = !inside;
        }
        previous = corner;
    }
    inside
}

/// Positive when `point` lies to the west of the line from `from` northwards to `to`.
fn side_of(from: GeoPoint, to: GeoPoint, point: GeoPoint) -> i64 {
    let run = i64::from(to.lon) - i64::from(from.lon);
    let rise = i64::from(to.lat) - i64::from(from.lat);
    let east = i64::from(point.lon) - i64::from(from.lon);
    let north = i64::from(point.lat) - i64::from(from.lat);
    run * north - rise * east
}

fn between(a: i32, b: i32, value: i32) -> bool {
    (a.min(b)..=a.max(b)).contains(&value)
}

/// A decimal number of degrees as millionths, without floating point.
fn parse_micro(text: &str) -> Option<i32> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !plain(whole) || !plain(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let micro = whole.parse::<i64>().ok()? * DEGREE + fraction.parse::<i64>().ok()?;
    i32::try_from(sign * micro).ok()
}

fn write_micro(f: &mut fmt::Formatter<'_>, micro: i32) -> fmt::Result {
    let sign = if micro < 0 { "-" } else { "" };
    let size = i64::from(micro).abs();
    write!(f, "{sign}{}.{:06}", size / DEGREE, size % DEGREE)
}

impl fmt::Display for GeoPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_micro(f, self.lat)?;
        f.write_str(" ")?;
        write_micro(f, self.lon)
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Circle { centre, radius_m } => write!(f, "circle({centre} {radius_m})"),
            Self::Polygon(corners) => {
                for (place, corner) in corners.iter().enumerate() {
                    let before = if place == 0 { "polygon(" } else { ", " };
                    write!(f, "{before}{corner}")?;
                }
                f.write_str(")")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: &str, lon: &str) -> GeoPoint {
        GeoPoint::parse(lat, lon).unwrap()
    }

    #[test]
    fn distances_agree_with_the_great_circle() {
        // Great-circle distances on the same sphere, reckoned elsewhere, in metres.
        let cases = [
            (("0", "0"), ("0", "1"), 111_195),
            (("0", "0"), ("1", "0"), 111_195),
            (("60", "10"), ("60", "11"), 55_597),
            (("36.559491", "139.899640"), ("36.544896", "139.976088"), 7_018),
            (("0", "179.9"), ("0", "-179.9"), 22_239),
        ];
        for ((a, b), (c, d), expected) in cases {
            let metres = at(a, b).distance_mm(at(c, d)) / 1_000;
            let off = (metres - expected).abs();
            assert!(off * 1_000 <= expected, "{a} {b} to {c} {d}: {metres}, not {expected}");
        }
    }

    #[test]
    fn cosines_are_right_to_a_millionth() {
        for degrees in -90..=90 {
            let exact = f64::from(degrees).to_radians().cos();
            let own = cosine(i64::from(degrees) * DEGREE) as f64 / f64::from(1 << COSINE_BITS);
            assert!((own - exact).abs() < 1e-6, "{degrees}: {own} {exact}");
        }
    }

    #[test]
    fn areas_hold_their_border_and_nothing_outside() {
        let circle = Area::parse("circle(36.559491 139.899640 800)").unwrap();
        assert!(circle.contains(at("36.559491", "139.899640")));
        assert!(circle.contains(at("36.566", "139.8997")));
        assert!(!circle.contains(at("36.567", "139.8997")));
        assert!(circle.contains(at("36.559491", "139.9085")));
        assert!(!circle.contains(at("36.559491", "139.9087")));
        // An L: the notch is outside, corners and edges are inside.
        let polygon = Area::parse("polygon(0 0, 0 4, 2 4, 2 2, 4 2, 4 0)").unwrap();
        for (lat, lon, inside) in [
            ("1", "1", true),
            ("1", "3", true),
            ("3", "3", false),
            ("3", "1", true),
            ("0", "0", true),
            ("2", "3", true),
            ("2", "2", true),
            ("4", "1", true),
            ("4.000001", "1", false),
            ("-0.000001", "1", false),
            ("1", "4.000001", false),
        ] {
            assert_eq!(polygon.contains(at(lat, lon)), inside, "{lat} {lon}");
        }
    }

    #[test]
    fn areas_read_what_they_write_and_nothing_odd() {
        for text in [
            "circle(36.559491 139.899640 800)",
            "polygon(-1.500000 0.000000, 0.000000 4.000000, 2.000000 -179.999999)",
        ] {
            assert_eq!(Area::parse(text).unwrap().to_string(), text);
        }
        for odd in [
            "circle(91 0 5)",
            "circle(0 181 5)",
            "circle(0 0 0)",
            "circle(0 0 200001)",
            "circle(0 0)",
            "circle(1e1 0 5)",
            "polygon(0 0, 1 1)",
            "square(0 0 1)",
            "circle 0 0 1",
        ] {
            assert_eq!(Area::parse(odd), None, "{odd}");
        }
    }
}
