//! A look at XML before anything parses it: how many elements, how deep, how often the same again.
//!
//! The parser behind us takes time with every element, and with the square of the number of elements that stand twice where
//! one is allowed. So both are bounded here, by a scan of the text that allocates little and never recurses.

use std::collections::BTreeSet;

/// Some 3,000 lines of an invoice.
const ELEMENTS_MAX: usize = 200_000;
const DEPTH_MAX: usize = 64;
/// Of elements that stand again beside one of their name, where the standard has no list of them.
const REPEATS_MAX: usize = 1_000;

/// Parent and child of the lists of EN 16931, by local name.
const LISTS: &[(&str, &str)] = &[
    ("Invoice", "InvoiceLine"),
    ("CreditNote", "CreditNoteLine"),
    ("Item", "AdditionalItemProperty"),
    ("InvoiceLine", "AllowanceCharge"),
    ("CreditNoteLine", "AllowanceCharge"),
    ("SupplyChainTradeTransaction", "IncludedSupplyChainTradeLineItem"),
    ("SpecifiedTradeProduct", "ApplicableProductCharacteristic"),
    ("SpecifiedLineTradeSettlement", "SpecifiedTradeAllowanceCharge"),
];

struct Open<'a> {
    name: &'a str,
    children: BTreeSet<&'a str>,
}

/// What is too much, in words. Text that is no XML passes: the parser says so better.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let (mut elements, mut repeats) = (0, 0);
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with('/') {
            open.pop();
            continue;
        }
        if rest.starts_with(['!', '?']) {
            match after_markup(rest)? {
                Some(after) => rest = after,
                None => return Ok(()),
            }
            continue;
        }
        let Some((tag, after)) = tag(rest) else {
            return Ok(());
        };
        rest = after;
        let name = local_name(tag);
        elements += 1;
        if let Some(parent) = open.last_mut()
            && !parent.children.insert(name)
            && !LISTS.contains(&(parent.name, name))
        {
            repeats += 1;
        }
        if !tag.ends_with('/') {
            let children = BTreeSet::new();
            open.push(Open { name, children });
        }
        if elements > ELEMENTS_MAX {
            return Err("more elements than an invoice has");
        }
        if repeats > REPEATS_MAX {
            return Err("the same elements again and again");
        }
        if open.len() > DEPTH_MAX {
            return Err("elements nested deeper than in any invoice");
        }
    }
    Ok(())
}

/// What follows a comment, a CDATA section or a processing instruction; `None` when it does not end.
fn after_markup(rest: &str) -> Result<Option<&str>, &'static str> {
    let end = if rest.starts_with("!--") {
        "-->"
    } else if rest.starts_with("![CDATA[") {
        "]]>"
    } else if rest.starts_with('?') {
        "?>"
    } else {
        return Err("a document type declaration");
    };
    Ok(rest.split_once(end).map(|(_, after)| after))
}

/// The inside of a start tag and what follows it; a `>` in a quoted value does not end it.
fn tag(rest: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (index, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some((&rest[..index], &rest[index + 1..])),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

fn local_name(tag: &str) -> &str {
    let end = tag
        .find(|letter: char| letter.is_whitespace() || letter == '/')
        .unwrap_or(tag.len());
    let name = &tag[..end];
    name.split_once(':').map_or(name, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_named() {
        let around = |inside: String| format!("<?xml version='1.0'?><!-- <a> --><x:Invoice a='>'>{inside}</x:Invoice>");
        let cases = [
            (around("<ID>1</ID><![CDATA[<a><b>]]>".to_owned()), Ok(())),
            (around("<InvoiceLine/>".repeat(50_000)), Ok(())),
            (around("<ID/>".repeat(1_002)), Err("the same elements again and again")),
            (
                around("<Price><AllowanceCharge/><AllowanceCharge/></Price>".repeat(600)),
                Err("the same elements again and again"),
            ),
            (
                around("<InvoiceLine/>".repeat(200_001)),
                Err("more elements than an invoice has"),
            ),
            (
                around("<a>".repeat(65)),
                Err("elements nested deeper than in any invoice"),
            ),
            (around("<a><b></b></a>".to_owned()), Ok(())),
            ("<!DOCTYPE x><x/>".to_owned(), Err("a document type declaration")),
            ("<a b='".to_owned(), Ok(())),
            ("<!-- ".to_owned(), Ok(())),
            ("no XML".to_owned(), Ok(())),
        ];
        for (text, expected) in cases {
            assert_eq!(check(&text), expected, "{}", &text[..text.len().min(80)]);
        }
    }
}
