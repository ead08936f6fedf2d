//! The words, numbers and dates of a page in its language.

use onescan_domain::money::{Currency, Money};

use crate::date::Date;
use crate::decimal::Decimal;

/// The language of labels; the invoice's own texts stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    German,
    /// Simplified.
    Chinese,
}

pub(super) struct Labels {
    pub invoice: &'static str,
    pub credit_note: &'static str,
    pub number: &'static str,
    pub issued_on: &'static str,
    pub delivered_on: &'static str,
    pub due_on: &'static str,
    pub period: &'static str,
    pub buyer_reference: &'static str,
    pub order: &'static str,
    pub original: &'static str,
    pub buyer: &'static str,
    pub vat_id: &'static str,
    pub tax_number: &'static str,
    pub legal_id: &'static str,
    pub description: &'static str,
    pub quantity: &'static str,
    pub price: &'static str,
    pub vat: &'static str,
    pub amount: &'static str,
    pub net_prices: &'static str,
    pub gross_prices: &'static str,
    pub subtotal: &'static str,
    pub net: &'static str,
    pub vat_on: &'static str,
    pub total: &'static str,
    pub prepaid: &'static str,
    pub due: &'static str,
    pub in_capitals: &'static str,
    pub payment: &'static str,
    pub account: &'static str,
    pub holder: &'static str,
    pub reference: &'static str,
    pub card: &'static str,
    pub direct_debit: &'static str,
    pub mandate: &'static str,
    pub cash: &'static str,
    pub online: &'static str,
    pub attachments: &'static str,
    pub summed_up: &'static str,
    pub page: &'static str,
    pub distance: &'static str,
    pub passenger: &'static str,
    pub vehicle: &'static str,
    pub cost_centre: &'static str,
}

const ENGLISH: Labels = Labels {
    invoice: "Invoice",
    credit_note: "Credit note",
    number: "Number",
    issued_on: "Date",
    delivered_on: "Delivered",
    due_on: "Payable by",
    period: "Period",
    buyer_reference: "Your reference",
    order: "Order",
    original: "Corrects invoice",
    buyer: "Bill to",
    vat_id: "VAT id",
    tax_number: "Tax number",
    legal_id: "Registration",
    description: "Description",
    quantity: "Quantity",
    price: "Unit price",
    vat: "VAT",
    amount: "Amount",
    net_prices: "Prices without VAT, in",
    gross_prices: "Prices include VAT, in",
    subtotal: "Subtotal",
    net: "Total without VAT",
    vat_on: "VAT {rate} on {net}",
    total: "Total",
    prepaid: "Already paid",
    due: "Amount due",
    in_capitals: "In words",
    payment: "Payment",
    account: "Account",
    holder: "Account holder",
    reference: "Reference",
    card: "Paid by card ending in",
    direct_debit: "By direct debit from",
    mandate: "Mandate",
    cash: "Cash",
    online: "Paid through",
    attachments: "Attached to the electronic invoice",
    summed_up: "The {lines} lines of this document are summed up here; each one stands in the attached list and in the XML.",
    page: "Page {page} of {pages}",
    distance: "Distance (km)",
    passenger: "Passenger",
    vehicle: "Vehicle",
    cost_centre: "Cost centre",
};

const GERMAN: Labels = Labels {
    invoice: "Rechnung",
    credit_note: "Rechnungskorrektur",
    number: "Nummer",
    issued_on: "Datum",
    delivered_on: "Lieferdatum",
    due_on: "Zahlbar bis",
    period: "Zeitraum",
    buyer_reference: "Ihr Zeichen",
    order: "Bestellung",
    original: "Korrigiert Rechnung",
    buyer: "Rechnung an",
    vat_id: "USt-IdNr.",
    tax_number: "Steuernummer",
    legal_id: "Registernummer",
    description: "Bezeichnung",
    quantity: "Menge",
    price: "Einzelpreis",
    vat: "USt",
    amount: "Betrag",
    net_prices: "Preise ohne Umsatzsteuer, in",
    gross_prices: "Preise mit Umsatzsteuer, in",
    subtotal: "Zwischensumme",
    net: "Summe ohne Umsatzsteuer",
    vat_on: "Umsatzsteuer {rate} auf {net}",
    total: "Gesamtbetrag",
    prepaid: "Bereits gezahlt",
    due: "Zu zahlen",
    in_capitals: "In Worten",
    payment: "Zahlung",
    account: "Konto",
    holder: "Kontoinhaber",
    reference: "Verwendungszweck",
    card: "Bezahlt mit Karte, Endziffern",
    direct_debit: "Lastschrift von",
    mandate: "Mandat",
    cash: "Bar",
    online: "Bezahlt über",
    attachments: "Der elektronischen Rechnung liegt bei",
    summed_up: "Die {lines} Positionen sind hier zusammengefasst; jede einzelne steht in der beigefügten Liste und im XML.",
    page: "Seite {page} von {pages}",
    distance: "Strecke (km)",
    passenger: "Fahrgast",
    vehicle: "Fahrzeug",
    cost_centre: "Kostenstelle",
};

const CHINESE: Labels = Labels {
    invoice: "发票",
    credit_note: "红字发票",
    number: "号码",
    issued_on: "开票日期",
    delivered_on: "交付日期",
    due_on: "付款期限",
    period: "计费期间",
    buyer_reference: "客户参考号",
    order: "订单",
    original: "对应原发票",
    buyer: "购买方",
    vat_id: "增值税号",
    tax_number: "税号",
    legal_id: "统一社会信用代码/登记号",
    description: "项目名称",
    quantity: "数量",
    price: "单价",
    vat: "税率",
    amount: "金额",
    net_prices: "单价不含税，币种",
    gross_prices: "单价含税，币种",
    subtotal: "小计",
    net: "不含税合计",
    vat_on: "税额 {rate}，计税金额 {net}",
    total: "价税合计",
    prepaid: "已付",
    due: "应付",
    in_capitals: "大写",
    payment: "付款",
    account: "账号",
    holder: "户名",
    reference: "附言",
    card: "银行卡支付，尾号",
    direct_debit: "代扣账户",
    mandate: "授权号",
    cash: "现金",
    online: "支付渠道",
    attachments: "电子发票附件",
    summed_up: "本单据共 {lines} 行，此处为汇总；每一行均列于所附明细表和 XML 中。",
    page: "第 {page} 页，共 {pages} 页",
    distance: "里程（公里）",
    passenger: "出行人",
    vehicle: "车牌号",
    cost_centre: "成本中心",
};

impl Language {
    pub(super) fn labels(self) -> &'static Labels {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Chinese => &CHINESE,
        }
    }

    /// RFC 3066.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Chinese => "zh-CN",
        }
    }

    pub(super) fn date(self, date: Date) -> String {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let (year, month, day) = (date.year(), date.month(), date.day());
        match self {
            Self::English => format!("{day} {} {year}", MONTHS[usize::from(month) - 1]),
            Self::German => format!("{day:02}.{month:02}.{year:04}"),
            Self::Chinese => format!("{year}年{month}月{day}日"),
        }
    }

    /// All decimals of the currency, grouped by thousands.
    pub(super) fn amount(self, minor: i64, currency: Currency) -> String {
        self.grouped(&Money::new(minor, currency).to_decimal())
    }

    /// At least `decimals_min` decimals.
    pub(super) fn decimal(self, number: Decimal, decimals_min: u8) -> String {
        let mut text = number.to_string();
        if number.scale() < decimals_min {
            if number.scale() == 0 {
                text.push('.');
            }
            let missing = usize::from(decimals_min - number.scale());
            text.push_str(&"0".repeat(missing));
        }
        self.grouped(&text)
    }

    /// `12.5` in, `12,5` out where the language writes it so; the minus sign is a real one.
    fn grouped(self, plain: &str) -> String {
        let (thousands, point) = match self {
            Self::English | Self::Chinese => (',', '.'),
            Self::German => ('.', ','),
        };
        let (sign, digits) = plain.strip_prefix('-').map_or(("", plain), |digits| ("−", digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut text = sign.to_owned();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index) % 3 == 0 {
                text.push(thousands);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push(point);
            text.push_str(fraction);
        }
        text
    }
}

/// What people write for a unit code; nothing for single things, the code itself where we know no better.
pub(super) fn unit(code: &str) -> &str {
    match code {
        "C62" | "H87" | "EA" => "",
        "DAY" => "d",
        "GRM" => "g",
        "HUR" => "h",
        "KGM" => "kg",
        "KMT" => "km",
        "KWH" => "kWh",
        "LTR" => "l",
        "MIN" => "min",
        "MTR" => "m",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_language_does() {
        let euro = |language: Language, minor| language.amount(minor, Currency::EUR);
        assert_eq!(euro(Language::English, 123_456_789), "1,234,567.89");
        assert_eq!(euro(Language::German, -123_456), "−1.234,56");
        assert_eq!(euro(Language::Chinese, 5), "0.05");
        assert_eq!(Language::German.decimal(Decimal::parse("3.2916").unwrap(), 2), "3,2916");
        assert_eq!(Language::English.decimal(Decimal::whole(1000), 2), "1,000.00");
        assert_eq!(Language::English.decimal(Decimal::whole(12), 0), "12");
    }

    #[test]
    fn dates_are_written_as_the_language_does() {
        let date = Date::new(2026, 3, 7).unwrap();
        assert_eq!(Language::English.date(date), "7 March 2026");
        assert_eq!(Language::German.date(date), "07.03.2026");
        assert_eq!(Language::Chinese.date(date), "2026年3月7日");
    }
}
