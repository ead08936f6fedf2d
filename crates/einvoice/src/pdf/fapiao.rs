//! An invoice on a page in the form of a Chinese fapiao, plainly marked as one that no tax authority issued.
//!
//! What stands where follows the fully digital form: two titles, lines without tax beside their tax, the sum in capitals,
//! and the passenger columns of transport services. Lines' taxes are the growth of their rate's tax, so that they add up to
//! the document's; allowances and charges on the document are lines of their own without a quantity.
//!
//! Row S20. Source: S \[86\], \[96\]; State Taxation Administration, fully digital invoices (数电票), business 09.

use std::collections::BTreeMap;

use super::canvas::{Ink, PAGE_HEIGHT, PAGE_WIDTH, Shape, Sheet, Style};
use super::fonts::{Fonts, Weight};
use super::labels::{Language, unit};
use crate::decimal::{Decimal, divide_rounded, power_of_ten};
use crate::invoice::{Direction, Invoice, Kind, Line, Prices, Vat, VatCategory};
use crate::rides::attribute;
use crate::titles::capitals::yuan_in_capitals;
use crate::titles::title_qr::Title;
use crate::totals::Totals;

/// Stands on every sheet, above and below.
pub(super) const MARK: &str = "样式页，非税务机关开具，不作为报销、抵扣凭证";

const LEFT: f32 = 40.0;
const RIGHT: f32 = PAGE_WIDTH - 40.0;
const WIDTH: f32 = RIGHT - LEFT;
const BOTTOM: f32 = PAGE_HEIGHT - 64.0;
const LEADING: f32 = 1.42;
const PADDING: f32 = 5.0;

const TITLE: Style = style(18.0, Weight::Regular, Ink::Text);
const BODY: Style = style(8.6, Weight::Regular, Ink::Text);
const LABEL: Style = style(8.2, Weight::Regular, Ink::Quiet);
const WARNING: Style = style(9.0, Weight::Regular, Ink::Warning);

const fn style(size: f32, weight: Weight, ink: Ink) -> Style {
    Style { size, weight, ink }
}

/// Both titles with all their fields; EN 16931 has no place for a buyer's bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FapiaoTitles {
    pub buyer: Title,
    pub seller: Title,
}

/// A line of the table, all amounts without tax.
struct Row {
    name: String,
    unit: String,
    quantity: String,
    price: String,
    net: i64,
    rate: String,
    tax: i64,
}

/// Head, where it starts, how wide, and on which side its text stands.
type Column = (&'static str, f32, f32, Side);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

const ITEMS: [Column; 7] = [
    ("项目名称", 0.0, 190.0, Side::Left),
    ("单位", 190.0, 36.0, Side::Left),
    ("数量", 226.0, 50.0, Side::Right),
    ("单价", 276.0, 74.0, Side::Right),
    ("金额", 350.0, 66.0, Side::Right),
    ("税率/征收率", 416.0, 52.0, Side::Right),
    ("税额", 468.0, 47.0, Side::Right),
];
const PASSENGERS: [Column; 7] = [
    ("出行人", 0.0, 56.0, Side::Left),
    ("有效身份证件号", 56.0, 74.0, Side::Left),
    ("出行日期", 130.0, 92.0, Side::Left),
    ("出发地", 222.0, 92.0, Side::Left),
    ("到达地", 314.0, 92.0, Side::Left),
    ("等级", 406.0, 34.0, Side::Left),
    ("交通工具类型", 440.0, 75.0, Side::Left),
];

pub(super) fn lay_out(invoice: &Invoice, totals: &Totals, titles: &FapiaoTitles, fonts: &Fonts) -> Vec<Sheet> {
    let mut form = Form {
        invoice,
        fonts,
        sheets: Vec::new(),
        y: 0.0,
    };
    form.sheet_begins();
    form.head();
    form.titles(titles);
    form.items(&rows(invoice, totals));
    form.sums(totals);
    form.passengers();
    form.notes();
    form.feet();
    form.sheets
}

fn rows(invoice: &Invoice, totals: &Totals) -> Vec<Row> {
    let mut taxes = Taxes::default();
    let mut rows = Vec::with_capacity(invoice.lines.len() + invoice.adjustments.len());
    for (line, of_line) in invoice.lines.iter().zip(&totals.lines) {
        let tax = taxes.of(invoice.prices, line.vat, of_line.net, of_line.stated);
        let price = unit_price(line, of_line.net, invoice);
        rows.push(Row {
            name: item_name(line),
            unit: unit(&line.unit).to_owned(),
            quantity: line.quantity.to_string(),
            price: price.map_or_else(String::new, |price| Language::Chinese.decimal(price, 2)),
            net: of_line.net,
            rate: rate(line.vat),
            tax,
        });
    }
    for (entry, net) in invoice.adjustments.iter().zip(&totals.adjustments) {
        let sign = match entry.adjustment.direction {
            Direction::Allowance => -1,
            Direction::Charge => 1,
        };
        let net = sign * net;
        rows.push(Row {
            name: entry.adjustment.reason.clone(),
            unit: String::new(),
            quantity: String::new(),
            price: String::new(),
            net,
            rate: rate(entry.vat),
            tax: taxes.of(invoice.prices, entry.vat, net, sign * entry.adjustment.amount_minor),
        });
    }
    rows
}

/// The net sum of each rate so far.
#[derive(Default)]
struct Taxes(BTreeMap<Vat, i64>);

impl Taxes {
    /// The tax of a part whose net and stated amounts these are.
    fn of(&mut self, prices: Prices, vat: Vat, net: i64, stated: i64) -> i64 {
        if prices == Prices::Gross {
            return stated - net;
        }
        let sum = self.0.entry(vat).or_insert(0);
        let before = tax_on(*sum, vat);
        *sum += net;
        tax_on(*sum, vat) - before
    }
}

/// The totals were reckoned before, so nothing here is larger than can be kept.
fn tax_on(net: i64, vat: Vat) -> i64 {
    let product = i128::from(net) * i128::from(vat.percent.mantissa());
    let tax = divide_rounded(product, 100 * power_of_ten(vat.percent.scale()));
    tax.and_then(|tax| i64::try_from(tax).ok()).unwrap_or_default()
}

/// Without tax: what the line comes to, allowances included, divided by its quantity; at most eight decimals.
fn unit_price(line: &Line, net: i64, invoice: &Invoice) -> Option<Decimal> {
    const DECIMALS: u8 = 8;
    let is_plain = line.adjustments.is_empty() && line.price_base == Decimal::ONE;
    if invoice.prices == Prices::Net && is_plain {
        return Some(line.price);
    }
    let up = power_of_ten(DECIMALS - invoice.currency.decimals() + line.quantity.scale());
    let quantity = i128::from(line.quantity.mantissa());
    let net = i128::from(net).checked_mul(up)? * quantity.signum();
    let price = divide_rounded(net, quantity.abs())?;
    Decimal::new(i64::try_from(price).ok()?, DECIMALS)
}

fn item_name(line: &Line) -> String {
    match &line.description {
        Some(description) if !is_ride(line) => format!("{} {description}", line.name),
        Some(_) | None => line.name.clone(),
    }
}

fn is_ride(line: &Line) -> bool {
    line.attributes.iter().any(|(name, _)| name == attribute::STARTED_IN)
}

fn rate(vat: Vat) -> String {
    match vat.category {
        VatCategory::Standard => format!("{}%", vat.percent),
        VatCategory::ZeroRated | VatCategory::Export | VatCategory::IntraCommunity => "0%".to_owned(),
        VatCategory::Exempt => "免税".to_owned(),
        VatCategory::ReverseCharge | VatCategory::OutsideScope => "不征税".to_owned(),
    }
}

struct Form<'a> {
    invoice: &'a Invoice,
    fonts: &'a Fonts,
    sheets: Vec<Sheet>,
    /// The next free place on the last sheet.
    y: f32,
}

impl Form<'_> {
    fn sheet(&mut self) -> &mut Sheet {
        self.sheets.last_mut().expect("a sheet has begun")
    }

    fn sheet_begins(&mut self) {
        self.sheets.push(Sheet::default());
        self.centred(36.0, WARNING, MARK);
        self.y = 48.0;
    }

    fn centred(&mut self, y: f32, style: Style, text: &str) {
        let x = (PAGE_WIDTH - self.fonts.width(text, style.weight, style.size)) / 2.0;
        self.sheet().text(x, y, style, text);
    }

    fn money(minor: i64, invoice: &Invoice) -> String {
        format!("¥{}", Language::Chinese.amount(minor, invoice.currency))
    }

    fn head(&mut self) {
        let (invoice, fonts) = (self.invoice, self.fonts);
        let (title, original) = match &invoice.kind {
            Kind::Invoice => ("电子发票（样式）", None),
            Kind::CreditNote { original } => ("红字发票（样式）", Some(&original.number)),
        };
        self.centred(76.0, TITLE, title);
        let mut facts = vec![
            format!("发票号码：{}", invoice.number),
            format!("开票日期：{}", Language::Chinese.date(invoice.issued_on)),
        ];
        facts.extend(original.map(|number| format!("被红冲发票号码：{number}")));
        let mut y = 88.0;
        for fact in facts {
            y += BODY.size * LEADING;
            self.sheet().text_to(fonts, RIGHT, y, BODY, &fact);
        }
        self.y = y + 10.0;
    }

    /// Buyer on the left, seller on the right, as high as the longer of both.
    fn titles(&mut self, titles: &FapiaoTitles) {
        const HALF: f32 = WIDTH / 2.0;
        let top = self.y;
        let mut bottom = top;
        for (x, head, title) in [
            (LEFT, "购买方信息", &titles.buyer),
            (LEFT + HALF, "销售方信息", &titles.seller),
        ] {
            let mut y = top + PADDING + LABEL.size;
            self.sheet().text(x + PADDING, y, LABEL, head);
            for text in title_lines(title) {
                for line in self.fonts.wrap(&text, BODY.weight, BODY.size, HALF - 2.0 * PADDING) {
                    y += BODY.size * LEADING;
                    self.sheet().text(x + PADDING, y, BODY, &line);
                }
            }
            bottom = bottom.max(y + PADDING + 2.0);
        }
        self.frame(top, bottom);
        let sheet = self.sheet();
        sheet.shapes.push(upright(LEFT + HALF, top, bottom));
        self.y = bottom;
    }

    /// Lines around the form from `top` to `bottom`.
    fn frame(&mut self, top: f32, bottom: f32) {
        let sheet = self.sheet();
        sheet.rule(LEFT, top, WIDTH);
        sheet.rule(LEFT, bottom, WIDTH);
        sheet.shapes.push(upright(LEFT, top, bottom));
        sheet.shapes.push(upright(RIGHT, top, bottom));
    }

    fn table_head(&mut self, columns: &[Column]) {
        let top = self.y;
        let y = top + PADDING + LABEL.size;
        for column in columns {
            self.cell(column, y, LABEL, column.0);
        }
        self.frame(top, y + PADDING);
        self.y = y + PADDING;
    }

    fn cell(&mut self, (_, start, width, side): &Column, y: f32, style: Style, text: &str) {
        const MARGIN: f32 = 3.0;
        let fonts = self.fonts;
        match side {
            Side::Left => self.sheet().text(LEFT + start + MARGIN, y, style, text),
            Side::Right => self
                .sheet()
                .text_to(fonts, LEFT + start + width - MARGIN, y, style, text),
        }
    }

    /// One row; what is longer than its column goes on below.
    fn row(&mut self, columns: &[Column], cells: &[String]) {
        let wrapped: Vec<Vec<String>> = columns
            .iter()
            .zip(cells)
            .map(|((_, _, width, _), text)| self.fonts.wrap(text, BODY.weight, BODY.size, width - 6.0))
            .collect();
        let lines = wrapped.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let height = lines as f32 * BODY.size * LEADING + PADDING;
        if self.y + height > BOTTOM && height < BOTTOM - 100.0 {
            self.sheet_begins();
            self.table_head(columns);
        }
        let mut top = self.y;
        for place in 0..lines {
            if self.y + BODY.size * LEADING + PADDING > BOTTOM {
                self.sides(top);
                self.sheet_begins();
                self.table_head(columns);
                top = self.y;
            }
            self.y += BODY.size * LEADING;
            let y = self.y;
            for (column, lines) in columns.iter().zip(&wrapped) {
                if let Some(line) = lines.get(place) {
                    self.cell(column, y, BODY, line);
                }
            }
        }
        self.y += PADDING;
        self.sides(top);
    }

    fn sides(&mut self, top: f32) {
        let bottom = self.y;
        let sheet = self.sheet();
        sheet.rule(LEFT, bottom, WIDTH);
        sheet.shapes.push(upright(LEFT, top, bottom));
        sheet.shapes.push(upright(RIGHT, top, bottom));
    }

    fn items(&mut self, rows: &[Row]) {
        self.table_head(&ITEMS);
        for row in rows {
            let amount = |minor| Language::Chinese.amount(minor, self.invoice.currency);
            let cells = [
                row.name.clone(),
                row.unit.clone(),
                row.quantity.clone(),
                row.price.clone(),
                amount(row.net),
                row.rate.clone(),
                amount(row.tax),
            ];
            self.row(&ITEMS, &cells);
        }
    }

    fn sums(&mut self, totals: &Totals) {
        let invoice = self.invoice;
        let columns = [
            ("", 0.0, 290.0, Side::Left),
            ("", 290.0, 126.0, Side::Right),
            ("", 416.0, 99.0, Side::Right),
        ];
        let sum = [
            "合计".to_owned(),
            Self::money(totals.net, invoice),
            Self::money(totals.vat, invoice),
        ];
        self.row(&columns, &sum);
        let columns = [("", 0.0, 340.0, Side::Left), ("", 340.0, 175.0, Side::Right)];
        let gross = [
            format!("价税合计（大写）{}", yuan_in_capitals(totals.gross)),
            format!("（小写）{}", Self::money(totals.gross, invoice)),
        ];
        self.row(&columns, &gross);
    }

    /// For lines that are rides: who went when from where to where.
    fn passengers(&mut self) {
        let invoice = self.invoice;
        let rides: Vec<&Line> = invoice.lines.iter().filter(|line| is_ride(line)).collect();
        if rides.is_empty() {
            return;
        }
        self.y += 8.0;
        self.table_head(&PASSENGERS);
        for ride in rides {
            let of = |name: &str| {
                let found = ride.attributes.iter().find(|(known, _)| known == name);
                found.map_or("—", |(_, value)| value.as_str())
            };
            let minute = |name| of(name).get(..16).unwrap_or("—").replace('T', " ");
            let (started_at, ended_at) = (minute(attribute::STARTED_AT), minute(attribute::ENDED_AT));
            let travelled = format!("{started_at} – {ended_at}");
            let cells = [
                of(attribute::PASSENGER),
                "—",
                &travelled,
                of(attribute::STARTED_IN),
                of(attribute::ENDED_IN),
                "—",
                of(attribute::VEHICLE),
            ];
            self.row(&PASSENGERS, &cells.map(str::to_owned));
        }
    }

    fn notes(&mut self) {
        let reasons = self
            .invoice
            .exemptions
            .iter()
            .map(|exemption| exemption.reason.as_str());
        let notes: Vec<&str> = self.invoice.notes.iter().map(String::as_str).chain(reasons).collect();
        self.y += 8.0;
        self.row(
            &[("", 0.0, WIDTH, Side::Left)],
            &[format!("备注：{}", notes.join("；"))],
        );
    }

    fn feet(&mut self) {
        let (fonts, pages) = (self.fonts, self.sheets.len());
        for (index, sheet) in self.sheets.iter_mut().enumerate() {
            sheet.text(LEFT, PAGE_HEIGHT - 40.0, WARNING, MARK);
            let page = format!("第 {} 页，共 {pages} 页", index + 1);
            sheet.text_to(fonts, RIGHT, PAGE_HEIGHT - 40.0, LABEL, &page);
        }
    }
}

fn upright(x: f32, top: f32, bottom: f32) -> Shape {
    Shape::Box {
        x,
        y: top,
        width: 0.6,
        height: bottom - top,
        ink: Ink::Rule,
    }
}

fn title_lines(title: &Title) -> Vec<String> {
    let joined = |one: &str, other: &str| format!("{one} {other}").trim().to_owned();
    vec![
        format!("名称：{}", title.name),
        format!("统一社会信用代码/纳税人识别号：{}", title.tax_id),
        format!("地址、电话：{}", joined(&title.address, &title.phone)),
        format!("开户行及账号：{}", joined(&title.bank, &title.account)),
    ]
}
