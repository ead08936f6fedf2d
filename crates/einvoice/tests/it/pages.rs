//! The pages: what they say, whether others can open them, and that they come out the same each time.

use std::fs;
use std::path::Path;
use std::process::Command;

use onescan_domain::money::Currency;
use onescan_einvoice::pdf::{self, FapiaoTitles, HybridProfile, Language, PageOptions, PdfError};
use onescan_einvoice::titles::title_qr::Title;
use onescan_einvoice::{Invoice, Totals};

use crate::documents::{self, date};
use crate::tools;

fn options(language: Language) -> PageOptions {
    PageOptions {
        language,
        written_on: date("2026-11-23"),
    }
}

fn text_of(file: &Path) -> String {
    tools::output_of(Command::new("pdftotext").arg("-layout").arg(file).arg("-"))
}

fn written(folder: &Path, name: &str, pdf: &[u8]) -> std::path::PathBuf {
    let file = folder.join(format!("{name}.pdf"));
    fs::write(&file, pdf).expect("the folder can be written");
    file
}

#[test]
fn s20_every_hybrid_opens_and_carries_a_valid_invoice() {
    let folder = tools::empty_folder("einvoice-hybrids");
    let mut files = Vec::new();
    for (name, invoice) in documents::all() {
        for (profile_name, profile) in [("core", HybridProfile::Core), ("xrechnung", HybridProfile::XRechnung)] {
            let rendered = pdf::hybrid(&invoice, profile, options(Language::German));
            let rendered = rendered.unwrap_or_else(|error| panic!("{name} {profile_name}: {error}"));
            files.push(written(&folder, &format!("{name}.{profile_name}"), &rendered.pdf));
        }
    }
    for file in &files {
        tools::output_of(Command::new("qpdf").arg("--check").arg(file));
    }
    assert_eq!(tools::faults("validate.py", &files), "");
}

/// The page in `language` must say all of `expected`.
fn check_text(invoice: &Invoice, language: Language, name: &str, expected: &[&str]) {
    let folder = tools::empty_folder(&format!("einvoice-page-{name}"));
    let rendered = pdf::pages(invoice, options(language)).expect("a good invoice");
    let text = text_of(&written(&folder, name, &rendered.pdf));
    for words in expected {
        assert!(text.contains(words), "{name} lacks {words:?}:\n{text}");
    }
}

#[test]
fn s20_a_german_page_says_everything() {
    let expected = [
        "Rechnung",
        "2026-000123",
        "23.11.2026",
        "Łódzka Kawiarnia GmbH",
        "上海示例科技有限公司",
        "Kaffeebohnen Ζυθοποιία Кофе",
        "Zwei Sorten & <mehr>, \"frisch\" 咖啡豆",
        "2,5 kg",
        "3,2916",
        "Treuerabatt: −0,50",
        "10,00 / 12",
        "Mengenrabatt (19 %)",
        "Steuerfrei nach § 4 Nr. 21 UStG",
        "DE02 1203 0000 0000 2020 51",
        "谢谢惠顾。",
        "nachweis.csv",
        "Seite 1 von 1",
    ];
    check_text(&documents::rich(), Language::German, "german", &expected);
}

#[test]
fn s20_an_english_credit_note_names_its_original() {
    let expected = [
        "Credit note",
        "Corrects invoice",
        "2026-000123, 23 November 2026",
        "Prices include VAT",
        "54.88 EUR",
    ];
    check_text(&documents::credit_note(), Language::English, "english", &expected);
}

#[test]
fn r09_a_chinese_page_lists_every_ride_with_times_and_places() {
    let invoice = documents::rides(40);
    let folder = tools::empty_folder("einvoice-page-rides");
    let rendered = pdf::pages(&invoice, options(Language::Chinese)).expect("a good invoice");
    assert!(rendered.replaced.is_empty());
    let text = text_of(&written(&folder, "rides", &rendered.pdf));
    for words in [
        "发票",
        "2026年11月23日",
        "大写: 伍佰零壹圆捌角",
        "rides.csv",
        "第 2 页，共",
    ] {
        assert!(text.contains(words), "{words:?} is missing:\n{text}");
    }
    let packed: String = text.split_whitespace().collect();
    for line in &invoice.lines {
        let sentence: String = line
            .description
            .iter()
            .flat_map(|text| text.split_whitespace())
            .collect();
        assert!(packed.contains(&sentence), "{sentence:?} is missing:\n{text}");
        assert!(
            packed.contains(line.object_id.as_deref().expect("a ride's id")),
            "{line:?} is missing:\n{text}"
        );
    }
}

fn titles() -> FapiaoTitles {
    let title = |name: &str, tax_id: &str| Title {
        name: name.to_owned(),
        tax_id: tax_id.to_owned(),
        address: "上海市示例路88号".to_owned(),
        phone: "021-12345678".to_owned(),
        bank: "示例银行".to_owned(),
        account: "6222000011112222".to_owned(),
    };
    FapiaoTitles {
        buyer: title("上海示例科技有限公司", "91310115MA1K000003"),
        seller: title("示例出租汽车有限公司", "91110000600037341L"),
    }
}

#[test]
fn s20_a_fapiao_form_says_that_no_tax_authority_issued_it() {
    let folder = tools::empty_folder("einvoice-fapiao");
    let rendered = pdf::fapiao(&documents::rides(40), &titles(), date("2026-11-23")).expect("a good invoice");
    assert!(rendered.replaced.is_empty());
    let file = written(&folder, "fapiao", &rendered.pdf);
    tools::output_of(Command::new("qpdf").arg("--check").arg(&file));
    let text = text_of(&file);
    let packed: String = text.split_whitespace().collect();
    for words in [
        "电子发票（样式）",
        "91310115MA1K000003",
        "91110000600037341L",
        "6222000011112222",
        "价税合计（大写）伍佰零壹圆捌角",
        "（小写）¥501.80",
        "出行人",
        "李娜",
        "2026-11-0310:02–",
        "2026-11-0311:02",
        "人民广场",
        "沪A·12345",
        "客运服务费",
        "3%",
    ] {
        assert!(packed.contains(words), "{words:?} is missing:\n{text}");
    }
    // Above and below on every sheet.
    let sheets = text.matches('\u{c}').count();
    assert_eq!(text.matches("非税务机关开具").count(), 2 * sheets, "{text}");
}

#[test]
fn a_fapiao_form_holds_what_is_odd() {
    let mut invoice = documents::rich();
    invoice.currency = Currency::CNY;
    invoice.lines[0].name = "很长的名称 ".repeat(120);
    let rendered = pdf::fapiao(&invoice, &titles(), date("2026-11-23")).expect("a good invoice");
    let folder = tools::empty_folder("einvoice-fapiao-odd");
    let text = text_of(&written(&folder, "odd", &rendered.pdf));
    let totals = Totals::of(&invoice).expect("sums");
    for minor in [totals.net, totals.vat, totals.gross] {
        let sum = format!("¥{}.{:02}", minor / 100, minor % 100);
        assert!(text.contains(&sum), "{sum} is missing:\n{text}");
    }
    assert!(text.contains("免税") && text.contains("Mengenrabatt"), "{text}");
    let refused = pdf::fapiao(&documents::till(), &titles(), date("2026-11-23"));
    assert!(matches!(refused, Err(PdfError::Incomplete(problems)) if problems[0].field == "currency"));
}

#[test]
fn the_same_invoice_gives_the_same_bytes() {
    let make =
        || pdf::hybrid(&documents::rich(), HybridProfile::Core, options(Language::English)).expect("a good invoice");
    assert!(make().pdf == make().pdf);
}

#[test]
fn a_letter_without_a_font_is_drawn_and_named() {
    let mut invoice = documents::till();
    invoice.buyer.name = "Café 🚕 赵堃".to_owned();
    let rendered = pdf::hybrid(&invoice, HybridProfile::Core, options(Language::English)).expect("a good invoice");
    assert_eq!(rendered.replaced.into_iter().collect::<String>(), "🚕");
    check_text(&invoice, Language::English, "substitute", &["Café 〓 赵堃"]);
}

#[test]
fn long_texts_run_over_pages() {
    let mut invoice = documents::till();
    invoice.lines[0].description = Some("很长的说明 with many words, ".repeat(400));
    invoice.notes = vec!["Unbreakable".repeat(100)];
    check_text(&invoice, Language::English, "long", &["Page 5 of 5", "Mittagsmenü"]);
}

#[test]
fn thousandths_stand_on_pages_and_not_in_hybrids() {
    let mut invoice = documents::dinar();
    invoice.lines[0].price = documents::decimal("1.251");
    check_text(&invoice, Language::English, "dinar", &["3.753 KWD"]);
    let refused = pdf::hybrid(&invoice, HybridProfile::Core, options(Language::English));
    assert!(matches!(refused, Err(PdfError::Xml(_))));
    invoice.number.clear();
    let refused = pdf::pages(&invoice, options(Language::English));
    assert!(matches!(refused, Err(PdfError::Incomplete(_))));
}
