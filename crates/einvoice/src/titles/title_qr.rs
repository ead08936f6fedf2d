//! The tax administration's static title QR: an invoice title as one line of text.
//!
//! `$01`, then base64 of `name</>tax id</>address|phone</>bank|account</>CRC`, then `$`. The specification leaves open over
//! which bytes the CRC runs; the authority's own program takes GBK. That is what we write. Reading accepts GBK and UTF-8
//! text, either's CRC in either case, and missing parts.
//!
//! Row S20. Source: State Taxation Administration, 便捷开票二维码应用规范 (2017).

use encoding_rs::GBK;

const SEPARATOR: &str = "</>";
const OPENING: &str = "$01";

/// Names of 100 characters at most; far more than any real title.
const TEXT_BYTES_MAX: usize = 4096;

/// Empty fields are absent ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Title {
    pub name: String,
    /// 15 to 20 characters; none for a person.
    pub tax_id: String,
    pub address: String,
    pub phone: String,
    pub bank: String,
    pub account: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TitleWriteError {
    #[error("the name is missing")]
    NoName,
    #[error("the name has {characters} characters, more than 100")]
    NameTooLong { characters: usize },
    #[error("a tax id has 15 to 20 letters and digits")]
    TaxId,
    /// The field contains `</>`, `|` or a control character, which the text cannot carry.
    #[error("the {field} contains a sign that the code cannot carry")]
    Separator { field: &'static str },
    /// The CRC runs over GBK, which lacks this character.
    #[error("the character {character} cannot be written")]
    Character { character: char },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TitleReadError {
    #[error("not a title code: it does not start with $01 and end with $")]
    NotATitle,
    #[error("longer than any title")]
    TooLong,
    #[error("the code is damaged: not base64")]
    Base64,
    #[error("the code is damaged: neither UTF-8 nor GBK text, or with control characters")]
    Text,
    #[error("the code holds no name")]
    NoName,
    #[error("the code is damaged: its checksum does not fit")]
    Checksum,
}

/// The text for the QR symbol (level M).
pub fn write(title: &Title) -> Result<String, TitleWriteError> {
    check(title)?;
    let head = [
        title.name.as_str(),
        &title.tax_id,
        &pair(&title.address, &title.phone),
        &pair(&title.bank, &title.account),
        "",
    ]
    .join(SEPARATOR);
    let checksum = crc(&gbk(&head)?);
    let text = format!("{head}{checksum:04X}");
    Ok(format!("{OPENING}{}$", base64(text.as_bytes())))
}

fn check(title: &Title) -> Result<(), TitleWriteError> {
    if title.name.trim().is_empty() {
        return Err(TitleWriteError::NoName);
    }
    let characters = title.name.chars().count();
    if characters > 100 {
        return Err(TitleWriteError::NameTooLong { characters });
    }
    let is_tax_id =
        (15..=20).contains(&title.tax_id.len()) && title.tax_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !title.tax_id.is_empty() && !is_tax_id {
        return Err(TitleWriteError::TaxId);
    }
    let fields = [
        ("name", &title.name),
        ("address", &title.address),
        ("phone", &title.phone),
        ("bank", &title.bank),
        ("account", &title.account),
    ];
    let breaks = |text: &str| text.contains(SEPARATOR) || text.contains('|') || text.chars().any(char::is_control);
    match fields.into_iter().find(|(_, text)| breaks(text)) {
        Some((field, _)) => Err(TitleWriteError::Separator { field }),
        None => Ok(()),
    }
}

fn pair(left: &str, right: &str) -> String {
    if left.is_empty() && right.is_empty() {
        String::new()
    } else {
        format!("{left}|{right}")
    }
}

fn gbk(text: &str) -> Result<Vec<u8>, TitleWriteError> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        let mut buffer = [0; 4];
        let (encoded, _, had_errors) = GBK.encode(character.encode_utf8(&mut buffer));
        if had_errors {
            return Err(TitleWriteError::Character { character });
        }
        bytes.extend_from_slice(&encoded);
    }
    Ok(bytes)
}

/// Reads what a scanner delivers; white space around it is no matter.
///
/// A checksum that is there must fit; where none is there, the text is taken as it is. Refuses in the order of
/// [`TitleReadError`], but `NoName` before the checksum only when there is no text at all.
pub fn read(text: &str) -> Result<Title, TitleReadError> {
    let text = text.trim();
    let body = text.strip_prefix(OPENING).and_then(|rest| rest.strip_suffix('$'));
    let body = body.ok_or(TitleReadError::NotATitle)?;
    if body.len() > TEXT_BYTES_MAX {
        return Err(TitleReadError::TooLong);
    }
    let bytes = from_base64(body).ok_or(TitleReadError::Base64)?;
    let content = decoded(&bytes).filter(|text| !text.contains(char::is_control));
    let content = content.ok_or(TitleReadError::Text)?;
    let (fields, checksum) = match content.rsplit_once(SEPARATOR) {
        Some((fields, last)) if is_checksum(last) => (fields, Some(last)),
        _ => (content.as_str(), None),
    };
    let title = title_of(fields);
    if title.name.is_empty() {
        return Err(TitleReadError::NoName);
    }
    if checksum.is_some_and(|checksum| !fits(&content, checksum)) {
        return Err(TitleReadError::Checksum);
    }
    Ok(title)
}

fn decoded(bytes: &[u8]) -> Option<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.to_owned()),
        Err(_) => GBK
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(|text| text.into_owned()),
    }
}

fn is_checksum(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Over GBK or UTF-8, with the last separator or without it.
fn fits(content: &str, checksum: &str) -> bool {
    let Ok(stated) = u16::from_str_radix(checksum, 16) else {
        return false;
    };
    let with_separator = &content[..content.len() - checksum.len()];
    let without = &with_separator[..with_separator.len() - SEPARATOR.len()];
    [with_separator, without].into_iter().any(|covered| {
        let (as_gbk, _, _) = GBK.encode(covered);
        crc(&as_gbk) == stated || crc(covered.as_bytes()) == stated
    })
}

fn title_of(fields: &str) -> Title {
    let mut parts = fields.split(SEPARATOR).map(str::trim);
    let mut next = || parts.next().unwrap_or_default();
    let (name, tax_id) = (next().to_owned(), next().to_owned());
    let (address, phone) = halves(next());
    let (bank, account) = halves(next());
    Title {
        name,
        tax_id,
        address,
        phone,
        bank,
        account,
    }
}

/// `address|phone`; others put a space between, or nothing: then digits at the end are the second half.
fn halves(joined: &str) -> (String, String) {
    if let Some((left, right)) = joined.split_once('|') {
        return (left.trim().to_owned(), right.trim().to_owned());
    }
    let is_number = |letter: char| letter.is_ascii_digit() || matches!(letter, '-' | ' ');
    let text = joined.trim_end_matches(is_number);
    let number = joined[text.len()..].trim_matches([' ', '-']);
    if number.len() >= 7 {
        (text.trim().to_owned(), number.to_owned())
    } else {
        (joined.to_owned(), String::new())
    }
}

/// Polynomial x16 + x15 + x2 + 1, start 0, high bit first, nothing turned round.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x8005 }
        })
    })
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (index, byte)| bits | u32::from(*byte) << (16 - 8 * index));
        for place in 0..4 {
            let value = (bits >> (18 - 6 * place)) & 63;
            let is_padding = place > chunk.len();
            text.push(if is_padding {
                '='
            } else {
                char::from(BASE64[value as usize])
            });
        }
    }
    text
}

/// Padding may be missing; anything outside the alphabet is an error.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for (index, letter) in chunk.iter().enumerate() {
            let value = BASE64.iter().position(|known| known == letter)?;
            bits |= u32::try_from(value).ok()? << (18 - 6 * index);
        }
        let [_, first, second, third] = bits.to_be_bytes();
        bytes.extend([first, second, third].iter().take(chunk.len() - 1));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Title {
        Title {
            name: "上海示例科技有限公司".to_owned(),
            tax_id: "91310115MA1K000003".to_owned(),
            address: "上海市示例路88号".to_owned(),
            phone: "021-12345678".to_owned(),
            bank: "示例银行".to_owned(),
            account: "6222000011112222".to_owned(),
        }
    }

    const EXAMPLE: &str =
        "上海示例科技有限公司</>91310115MA1K000003</>上海市示例路88号|021-12345678</>示例银行|6222000011112222</>";

    fn code_of(content: &[u8]) -> String {
        format!("$01{}$", base64(content))
    }

    #[test]
    fn the_checksum_runs_over_gbk() {
        assert_eq!(crc(&gbk(EXAMPLE).unwrap()), 0x094E);
        assert_eq!(crc(EXAMPLE.as_bytes()), 0xC4C4);
        assert_eq!(crc(b"123456789"), 0xFEE8);
        assert_eq!(write(&example()), Ok(code_of(format!("{EXAMPLE}094E").as_bytes())));
    }

    #[test]
    fn what_is_written_is_read() {
        let person = Title {
            name: "张三".to_owned(),
            ..Title::default()
        };
        for title in [example(), person] {
            assert_eq!(read(&write(&title).unwrap()), Ok(title));
        }
    }

    #[test]
    fn variants_of_others_are_read() {
        let utf8_checksum = format!("{EXAMPLE}c4c4");
        let (as_gbk, _, _) = GBK.encode(EXAMPLE);
        let mut gbk_text = as_gbk.into_owned();
        gbk_text.extend_from_slice(b"094E");
        let without_checksum = EXAMPLE.trim_end_matches(SEPARATOR);
        for content in [
            utf8_checksum.as_bytes(),
            &gbk_text,
            without_checksum.as_bytes(),
            EXAMPLE.as_bytes(),
        ] {
            assert_eq!(read(&format!(" {}\n", code_of(content))), Ok(example()));
        }
        let joined = "甲公司</>91310115MA1K000003</>示例路88号021-12345678</>示例银行 6222000011112222</>";
        let title = read(&code_of(joined.as_bytes())).unwrap();
        assert_eq!(
            (title.address.as_str(), title.phone.as_str()),
            ("示例路88号", "021-12345678")
        );
        assert_eq!(
            (title.bank.as_str(), title.account.as_str()),
            ("示例银行", "6222000011112222")
        );
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(read("https://example.org"), Err(TitleReadError::NotATitle));
        assert_eq!(read("$01$"), Err(TitleReadError::NoName));
        assert_eq!(read("$01ab!d$"), Err(TitleReadError::Base64));
        assert_eq!(read("$01abcde$"), Err(TitleReadError::Base64));
        assert_eq!(read(&code_of(&[0xFF, 0xFF])), Err(TitleReadError::Text));
        assert_eq!(
            read(&code_of("</>91310115MA1K000003".as_bytes())),
            Err(TitleReadError::NoName)
        );
        assert_eq!(
            read(&code_of(format!("{EXAMPLE}094F").as_bytes())),
            Err(TitleReadError::Checksum)
        );
        assert_eq!(read(&code_of(&[b'a'; 5000])), Err(TitleReadError::TooLong));
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let with = |change: fn(&mut Title)| {
            let mut title = example();
            change(&mut title);
            write(&title)
        };
        assert_eq!(with(|title| title.name.clear()), Err(TitleWriteError::NoName));
        let too_long = TitleWriteError::NameTooLong { characters: 101 };
        assert_eq!(with(|title| title.name = "长".repeat(101)), Err(too_long));
        assert_eq!(
            with(|title| title.tax_id = "9131".to_owned()),
            Err(TitleWriteError::TaxId)
        );
        let separator = TitleWriteError::Separator { field: "bank" };
        assert_eq!(with(|title| title.bank = "a|b".to_owned()), Err(separator));
        let character = TitleWriteError::Character { character: '🚕' };
        assert_eq!(with(|title| title.name = "🚕".to_owned()), Err(character));
    }
}
