//! Amounts in Chinese capitals, as they stand on an invoice against forgery: 壹仟零伍圆整.
//!
//! Row S20. Source: People's Bank of China, rules for filling in payment vouchers.

const DIGITS: [&str; 10] = ["零", "壹", "贰", "叁", "肆", "伍", "陆", "柒", "捌", "玖"];
const UNITS: [&str; 4] = ["", "拾", "佰", "仟"];
/// Of groups of four digits; five groups hold every 64-bit amount.
const GROUPS: [&str; 5] = ["", "万", "亿", "万亿", "亿亿"];

/// `fen`: hundredths of a yuan; below zero `负` stands in front. No amount is too large.
pub fn yuan_in_capitals(fen: i64) -> String {
    let magnitude = fen.unsigned_abs();
    let (yuan, jiao, rest) = (magnitude / 100, magnitude / 10 % 10, magnitude % 10);
    let mut text = String::new();
    if fen < 0 {
        text.push('负');
    }
    if yuan > 0 || magnitude == 0 {
        text.push_str(&whole(yuan));
        text.push('圆');
    }
    if jiao == 0 && rest == 0 {
        text.push('整');
        return text;
    }
    if jiao > 0 {
        text.push_str(DIGITS[digit(jiao)]);
        text.push('角');
    } else if yuan > 0 {
        text.push('零');
    }
    if rest > 0 {
        text.push_str(DIGITS[digit(rest)]);
        text.push('分');
    }
    text
}

fn digit(value: u64) -> usize {
    usize::try_from(value % 10).expect("a digit fits")
}

/// A zero is written once between two written parts, never at the end.
fn whole(number: u64) -> String {
    if number == 0 {
        return DIGITS[0].to_owned();
    }
    let mut text = String::new();
    let mut zero_waits = false;
    for place in (0..GROUPS.len()).rev() {
        let group = number / 10_u64.pow(4 * u32::try_from(place).expect("few groups")) % 10_000;
        if group == 0 {
            zero_waits |= !text.is_empty();
            continue;
        }
        if !text.is_empty() && (zero_waits || group < 1000) {
            text.push_str(DIGITS[0]);
        }
        text.push_str(&four_digits(group));
        text.push_str(GROUPS[place]);
        zero_waits = false;
    }
    text
}

fn four_digits(group: u64) -> String {
    let mut text = String::new();
    let mut zero_waits = false;
    for (place, unit) in UNITS.iter().enumerate().rev() {
        let value = digit(group / 10_u64.pow(u32::try_from(place).expect("few places")));
        if value == 0 {
            zero_waits |= !text.is_empty();
            continue;
        }
        if zero_waits {
            text.push_str(DIGITS[0]);
            zero_waits = false;
        }
        text.push_str(DIGITS[value]);
        text.push_str(unit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_on_vouchers() {
        let cases = [
            (0, "零圆整"),
            (1, "壹分"),
            (10, "壹角"),
            (12, "壹角贰分"),
            (100, "壹圆整"),
            (105, "壹圆零伍分"),
            (150, "壹圆伍角"),
            (123, "壹圆贰角叁分"),
            (1_000, "壹拾圆整"),
            (100_500, "壹仟零伍圆整"),
            (10_010_000, "壹拾万零壹佰圆整"),
            (1_000_000, "壹万圆整"),
            (1_000_100, "壹万零壹圆整"),
            (1_010_000, "壹万零壹佰圆整"),
            (1_100_000, "壹万壹仟圆整"),
            (1_040_950, "壹万零肆佰零玖圆伍角"),
            (1_000_000_100, "壹仟万零壹圆整"),
            (10_000_000_000, "壹亿圆整"),
            (10_000_000_100, "壹亿零壹圆整"),
            (10_010_000_000, "壹亿零壹拾万圆整"),
            (12_345_678_912, "壹亿贰仟叁佰肆拾伍万陆仟柒佰捌拾玖圆壹角贰分"),
            (-680, "负陆圆捌角"),
        ];
        for (fen, expected) in cases {
            assert_eq!(yuan_in_capitals(fen), expected, "{fen}");
        }
    }

    #[test]
    fn the_largest_amount_is_written() {
        let text = yuan_in_capitals(i64::MAX);
        assert!(text.starts_with("玖亿亿贰仟贰佰叁拾叁万亿"), "{text}");
        assert!(text.ends_with("圆零柒分"), "{text}");
    }
}
