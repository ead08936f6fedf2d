//! Where everything stands on the page: head, parties, lines over as many sheets as they need, sums, payment, notes.

use super::canvas::{Ink, PAGE_HEIGHT, PAGE_WIDTH, Shape, Sheet, Style};
use super::fonts::{Fonts, Weight};
use super::labels::{Labels, Language, unit};
use crate::date::Period;
use crate::invoice::{Adjustment, Direction, Invoice, Kind, Line, Party, Payment, Prices, Vat, VatCategory};
use crate::rides::attribute;
use crate::titles::capitals::yuan_in_capitals;
use crate::totals::{LineTotals, Totals};
use onescan_domain::money::Currency;

const LEFT: f32 = 56.0;
const RIGHT: f32 = PAGE_WIDTH - 50.0;
const WIDTH: f32 = RIGHT - LEFT;
const TOP: f32 = 56.0;
/// Below it stands the foot.
const BOTTOM: f32 = PAGE_HEIGHT - 78.0;
const LEADING: f32 = 1.38;

const TITLE: Style = style(20.0, Weight::Bold, Ink::Text);
const NAME: Style = style(12.0, Weight::Bold, Ink::Text);
const BODY: Style = style(9.0, Weight::Regular, Ink::Text);
const STRONG: Style = style(9.0, Weight::Bold, Ink::Text);
const SMALL: Style = style(7.8, Weight::Regular, Ink::Quiet);
const HEADING: Style = style(7.8, Weight::Bold, Ink::Quiet);
const GRAND: Style = style(11.0, Weight::Bold, Ink::Text);

const fn style(size: f32, weight: Weight, ink: Ink) -> Style {
    Style { size, weight, ink }
}

/// Right ends of the table's columns; the description takes what is left.
const QUANTITY_END: f32 = RIGHT - 218.0;
const PRICE_END: f32 = RIGHT - 138.0;
const VAT_END: f32 = RIGHT - 88.0;
const DESCRIPTION_START: f32 = LEFT + 30.0;
const DESCRIPTION_WIDTH: f32 = QUANTITY_END - 58.0 - DESCRIPTION_START;
const SUMS_START: f32 = LEFT + 190.0;

pub(super) fn lay_out(invoice: &Invoice, totals: &Totals, language: Language, fonts: &Fonts) -> Vec<Sheet> {
    let mut form = Form {
        invoice,
        totals,
        language,
        labels: language.labels(),
        fonts,
        sheets: vec![Sheet::default()],
        y: TOP,
    };
    form.head();
    form.parties();
    form.lines();
    form.sums();
    form.exemptions();
    form.payment();
    form.notes();
    form.feet();
    form.sheets
}

struct Form<'a> {
    invoice: &'a Invoice,
    totals: &'a Totals,
    language: Language,
    labels: &'static Labels,
    fonts: &'a Fonts,
    sheets: Vec<Sheet>,
    /// The next free place on the last sheet.
    y: f32,
}

/// More lines would fill more sheets than anybody leafs through.
const LINES_SHOWN_MAX: usize = 1_000;

/// Whether the pages show sums instead of lines.
pub(super) fn is_summed_up(invoice: &Invoice) -> bool {
    invoice.lines.len() > LINES_SHOWN_MAX
}

/// Lines that differ in what they are about only.
struct Group<'a> {
    first: &'a Line,
    lines: usize,
    stated: i64,
}

impl<'a> Group<'a> {
    fn of(first: &'a Line) -> Self {
        Self {
            first,
            lines: 0,
            stated: 0,
        }
    }

    fn holds(&self, line: &Line) -> bool {
        (&self.first.name, &self.first.unit, self.first.vat) == (&line.name, &line.unit, line.vat)
    }
}

/// A row of the table before it is placed.
struct Row {
    /// Left column, one entry a line of text.
    texts: Vec<(Style, String)>,
    /// Right end of a column and its text, on the first line.
    cells: Vec<(f32, String)>,
    id: String,
}

impl Form<'_> {
    fn sheet(&mut self) -> &mut Sheet {
        self.sheets.last_mut().expect("there is always a sheet")
    }

    fn amount(&self, minor: i64) -> String {
        self.language.amount(minor, self.invoice.currency)
    }

    /// Text over as many lines as it needs, from `x`, on this sheet or the next.
    fn paragraph(&mut self, x: f32, width: f32, style: Style, text: &str) {
        for line in self.fonts.wrap(text, style.weight, style.size, width) {
            self.need(style.size * LEADING);
            self.y += style.size * LEADING;
            let y = self.y;
            self.sheet().text(x, y, style, &line);
        }
    }

    /// A new sheet when `height` does not fit any more. True when it came.
    fn need(&mut self, height: f32) -> bool {
        let is_full = self.y + height > BOTTOM;
        if is_full {
            self.sheets.push(Sheet::default());
            self.y = TOP;
        }
        is_full
    }

    fn head(&mut self) {
        let (invoice, labels) = (self.invoice, self.labels);
        let title = match invoice.kind {
            Kind::Invoice => labels.invoice,
            Kind::CreditNote { .. } => labels.credit_note,
        };
        let (fonts, y) = (self.fonts, TOP + TITLE.size);
        self.sheet().text_to(fonts, RIGHT, y, TITLE, title);
        let seller = &invoice.seller;
        self.paragraph(LEFT, WIDTH * 0.6, NAME, &seller.name);
        if let Some(trading_name) = &seller.trading_name {
            self.paragraph(LEFT, WIDTH * 0.6, BODY, trading_name);
        }
        self.paragraph(LEFT, WIDTH * 0.6, SMALL, &address_lines(seller).join(" · "));
        self.y = self.y.max(y) + 26.0;
    }

    /// The buyer on the left, where a window envelope shows it; dates and references on the right.
    fn parties(&mut self) {
        let top = self.y;
        let labels = self.labels;
        self.paragraph(LEFT, WIDTH * 0.5, HEADING, labels.buyer);
        let buyer = &self.invoice.buyer;
        self.paragraph(LEFT, WIDTH * 0.5, STRONG, &buyer.name);
        for line in address_lines(buyer) {
            self.paragraph(LEFT, WIDTH * 0.5, BODY, &line);
        }
        for line in self.identity(buyer) {
            self.paragraph(LEFT, WIDTH * 0.5, SMALL, &line);
        }
        let after_buyer = self.y;
        self.y = top;
        for (label, value) in self.facts() {
            self.fact(label, &value);
        }
        self.y = self.y.max(after_buyer) + 24.0;
    }

    fn fact(&mut self, label: &str, value: &str) {
        const LABEL_START: f32 = LEFT + WIDTH * 0.5;
        const VALUE_START: f32 = LABEL_START + 82.0;
        let lines = self.fonts.wrap(value, BODY.weight, BODY.size, RIGHT - VALUE_START);
        for (index, line) in lines.iter().enumerate() {
            self.y += BODY.size * LEADING;
            let y = self.y;
            if index == 0 {
                self.sheet().text(LABEL_START, y, SMALL, label);
            }
            self.sheet().text(VALUE_START, y, BODY, line);
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (invoice, labels, language) = (self.invoice, self.labels, self.language);
        let mut facts = vec![
            (labels.number, invoice.number.clone()),
            (labels.issued_on, language.date(invoice.issued_on)),
        ];
        if let Kind::CreditNote { original } = &invoice.kind {
            let issued_on = original.issued_on.map(|date| format!(", {}", language.date(date)));
            facts.push((
                labels.original,
                format!("{}{}", original.number, issued_on.unwrap_or_default()),
            ));
        }
        let optional = [
            (
                labels.delivered_on,
                invoice.delivered_on.map(|date| language.date(date)),
            ),
            (labels.period, invoice.period.map(|period| self.period(period))),
            (labels.due_on, invoice.due_on.map(|date| language.date(date))),
            (labels.order, invoice.order_reference.clone()),
            (labels.buyer_reference, invoice.buyer_reference.clone()),
        ];
        facts.extend(optional.into_iter().filter_map(|(label, value)| Some((label, value?))));
        facts
    }

    fn period(&self, period: Period) -> String {
        let (first, last) = (self.language.date(period.first_on), self.language.date(period.last_on));
        if first == last {
            first
        } else {
            format!("{first} – {last}")
        }
    }

    fn identity(&self, party: &Party) -> Vec<String> {
        let labels = self.labels;
        let legal_id = party.legal_id.as_ref().map(|id| &id.value);
        let ids = [
            (labels.vat_id, party.vat_id.as_ref()),
            (labels.tax_number, party.tax_number.as_ref()),
            (labels.legal_id, legal_id),
        ];
        let given = ids
            .into_iter()
            .filter_map(|(label, id)| Some(format!("{label} {}", id?)));
        given.collect()
    }

    fn lines(&mut self) {
        let (labels, currency) = (self.labels, self.invoice.currency);
        let mode = match self.invoice.prices {
            Prices::Net => labels.net_prices,
            Prices::Gross => labels.gross_prices,
        };
        self.paragraph(LEFT, WIDTH, SMALL, &format!("{mode} {currency}"));
        self.y += 4.0;
        self.table_head();
        let (invoice, totals) = (self.invoice, self.totals);
        if is_summed_up(invoice) {
            return self.summed_up_lines();
        }
        for (line, line_totals) in invoice.lines.iter().zip(&totals.lines) {
            let row = self.row(line, line_totals);
            self.place(&row);
        }
    }

    /// A row for the lines of one name, unit and rate, in the order of their first lines.
    fn summed_up_lines(&mut self) {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for (line, totals) in self.invoice.lines.iter().zip(&self.totals.lines) {
            let place = groups.iter().position(|group| group.holds(line));
            let place = place.unwrap_or_else(|| {
                groups.push(Group::of(line));
                groups.len() - 1
            });
            groups[place].lines += 1;
            groups[place].stated += totals.stated;
        }
        for (group, number) in groups.iter().zip(1_u32..) {
            let texts = self
                .fonts
                .wrap(&group.first.name, BODY.weight, BODY.size, DESCRIPTION_WIDTH);
            let row = Row {
                texts: texts.into_iter().map(|text| (BODY, text)).collect(),
                cells: vec![
                    (QUANTITY_END, format!("{} ×", group.lines)),
                    (VAT_END, self.rate(group.first.vat)),
                    (RIGHT, self.amount(group.stated)),
                ],
                id: number.to_string(),
            };
            self.place(&row);
        }
        self.y += 4.0;
        let count = self.invoice.lines.len().to_string();
        self.paragraph(LEFT, WIDTH, SMALL, &self.labels.summed_up.replace("{lines}", &count));
    }

    fn table_head(&mut self) {
        const HEIGHT: f32 = 17.0;
        let (labels, fonts, top) = (self.labels, self.fonts, self.y);
        let y = top + HEIGHT - 5.5;
        let sheet = self.sheet();
        sheet.shapes.push(Shape::Box {
            x: LEFT - 6.0,
            y: top,
            width: WIDTH + 12.0,
            height: HEIGHT,
            ink: Ink::Shade,
        });
        sheet.text(LEFT, y, HEADING, "#");
        sheet.text(DESCRIPTION_START, y, HEADING, labels.description);
        let columns = [
            (QUANTITY_END, labels.quantity),
            (PRICE_END, labels.price),
            (VAT_END, labels.vat),
            (RIGHT, labels.amount),
        ];
        for (end, label) in columns {
            sheet.text_to(fonts, end, y, HEADING, label);
        }
        self.y = top + HEIGHT;
    }

    fn row(&self, line: &Line, totals: &LineTotals) -> Row {
        let mut texts = Vec::new();
        let mut add = |style: Style, text: &str| {
            let lines = self.fonts.wrap(text, style.weight, style.size, DESCRIPTION_WIDTH);
            texts.extend(lines.into_iter().map(|line| (style, line)));
        };
        add(BODY, &line.name);
        let own_texts = [&line.description, &line.note];
        own_texts.into_iter().flatten().for_each(|text| add(SMALL, text));
        if line.description.is_none()
            && let Some(period) = line.period
        {
            add(SMALL, &self.period(period));
        }
        add(SMALL, &self.attributes(line).join(" · "));
        for adjustment in &line.adjustments {
            add(
                SMALL,
                &format!("{}: {}", adjustment.reason, self.amount(signed(adjustment))),
            );
        }
        let unit = unit(&line.unit);
        let mut price = self.language.decimal(line.price, self.invoice.currency.decimals());
        if line.price_base != crate::Decimal::ONE {
            price = format!("{price} / {}", self.language.decimal(line.price_base, 0));
        }
        let quantity = format!("{} {unit}", self.language.decimal(line.quantity, 0));
        Row {
            texts,
            cells: vec![
                (QUANTITY_END, quantity.trim_end().to_owned()),
                (PRICE_END, price),
                (VAT_END, self.rate(line.vat)),
                (RIGHT, self.amount(totals.stated)),
            ],
            id: line.id.clone(),
        }
    }

    /// What a ride's line says in its description is not said again.
    fn attributes(&self, line: &Line) -> Vec<String> {
        let labels = self.labels;
        let mut texts: Vec<String> = line.object_id.iter().cloned().collect();
        for (name, value) in &line.attributes {
            let label = match name.as_str() {
                attribute::STARTED_AT | attribute::STARTED_IN | attribute::ENDED_AT | attribute::ENDED_IN => continue,
                attribute::DISTANCE => labels.distance,
                attribute::PASSENGER => labels.passenger,
                attribute::VEHICLE => labels.vehicle,
                attribute::COST_CENTRE => labels.cost_centre,
                other => other,
            };
            texts.push(format!("{label}: {value}"));
        }
        texts
    }

    fn rate(&self, vat: Vat) -> String {
        match vat.category {
            VatCategory::OutsideScope => "–".to_owned(),
            VatCategory::Standard
            | VatCategory::ZeroRated
            | VatCategory::Exempt
            | VatCategory::ReverseCharge
            | VatCategory::IntraCommunity
            | VatCategory::Export => format!("{} %", self.language.decimal(vat.percent, 0)),
        }
    }

    /// A row stays together where a sheet can hold it, and runs over sheets where none can.
    fn place(&mut self, row: &Row) {
        const PADDING: f32 = 4.0;
        let height: f32 = row.texts.iter().map(|(style, _)| style.size * LEADING).sum::<f32>() + 2.0 * PADDING;
        const SHEET_HEIGHT: f32 = BOTTOM - TOP - 20.0;
        if self.need(if height < SHEET_HEIGHT { height } else { 40.0 }) {
            self.table_head();
        }
        self.y += PADDING - 1.0;
        for (index, (style, text)) in row.texts.iter().enumerate() {
            if self.need(style.size * LEADING) {
                self.table_head();
            }
            self.y += style.size * LEADING;
            let (fonts, y) = (self.fonts, self.y);
            let sheet = self.sheet();
            sheet.text(DESCRIPTION_START, y, *style, text);
            if index == 0 {
                let id = shortened(&row.id, fonts);
                sheet.text(LEFT, y, SMALL, &id);
                for (end, cell) in &row.cells {
                    sheet.text_to(fonts, *end, y, BODY, cell);
                }
            }
        }
        self.y += PADDING + 1.0;
        let y = self.y;
        self.sheet().rule(LEFT - 6.0, y, WIDTH + 12.0);
    }

    /// Every sum of the document, in the order in which they come about.
    fn sums(&mut self) {
        let (totals, labels, invoice) = (self.totals, self.labels, self.invoice);
        let mut sums: Vec<(Style, String, i64)> = Vec::new();
        let stated: i64 = totals.lines.iter().map(|line| line.stated).sum();
        if !invoice.adjustments.is_empty() {
            sums.push((BODY, labels.subtotal.to_owned(), stated));
        }
        for entry in &invoice.adjustments {
            let label = format!("{} ({})", entry.adjustment.reason, self.rate(entry.vat));
            sums.push((BODY, label, signed(&entry.adjustment)));
        }
        sums.push((BODY, labels.net.to_owned(), totals.net));
        for group in &totals.groups {
            let label = labels
                .vat_on
                .replace("{rate}", &self.rate(group.vat))
                .replace("{net}", &self.amount(group.net));
            sums.push((BODY, label, group.tax));
        }
        let is_prepaid = totals.prepaid != 0;
        sums.push((
            if is_prepaid { STRONG } else { GRAND },
            labels.total.to_owned(),
            totals.gross,
        ));
        if is_prepaid {
            sums.push((BODY, labels.prepaid.to_owned(), -totals.prepaid));
            sums.push((GRAND, labels.due.to_owned(), totals.due));
        }
        let height: f32 = sums.iter().map(|(style, ..)| style.size * LEADING + 2.0).sum();
        self.need(height.min(BOTTOM - TOP));
        self.y += 8.0;
        for (style, label, minor) in sums {
            self.sum(style, &label, minor);
        }
        if invoice.currency == Currency::CNY {
            let text = format!("{}: {}", labels.in_capitals, yuan_in_capitals(totals.gross));
            self.y += 3.0;
            self.paragraph(SUMS_START, RIGHT - SUMS_START, BODY, &text);
        }
        self.y += 14.0;
    }

    fn sum(&mut self, style: Style, label: &str, minor: i64) {
        const AMOUNT_WIDTH: f32 = 110.0;
        let amount = format!("{} {}", self.amount(minor), self.invoice.currency);
        let lines = self
            .fonts
            .wrap(label, style.weight, style.size, RIGHT - SUMS_START - AMOUNT_WIDTH);
        if style == GRAND {
            self.y += 4.0;
            let y = self.y;
            self.sheet().rule(SUMS_START, y, RIGHT - SUMS_START);
            self.y += 3.0;
        }
        for (index, line) in lines.iter().enumerate() {
            self.need(style.size * LEADING);
            self.y += style.size * LEADING;
            let (fonts, y) = (self.fonts, self.y);
            let sheet = self.sheet();
            sheet.text(SUMS_START, y, style, line);
            if index == 0 {
                sheet.text_to(fonts, RIGHT, y, style, &amount);
            }
        }
        self.y += 2.0;
    }

    fn exemptions(&mut self) {
        for exemption in &self.invoice.exemptions {
            self.paragraph(LEFT, WIDTH, BODY, &exemption.reason);
        }
    }

    fn payment(&mut self) {
        let invoice = self.invoice;
        let lines = invoice
            .payment
            .as_ref()
            .map_or_else(Vec::new, |payment| self.payment_lines(payment));
        if lines.is_empty() && invoice.payment_terms.is_none() {
            return;
        }
        self.need(60.0);
        self.y += 10.0;
        self.paragraph(LEFT, WIDTH, HEADING, self.labels.payment);
        for line in lines {
            self.paragraph(LEFT, WIDTH, BODY, &line);
        }
        if let Some(terms) = &invoice.payment_terms {
            self.paragraph(LEFT, WIDTH, BODY, terms);
        }
    }

    fn payment_lines(&self, payment: &Payment) -> Vec<String> {
        let labels = self.labels;
        match payment {
            Payment::CreditTransfer {
                iban,
                bic,
                holder,
                reference,
            } => {
                let mut lines = vec![format!("{}: {}", labels.account, in_fours(iban))];
                let more = [("BIC", bic), (labels.holder, holder), (labels.reference, reference)];
                lines.extend(
                    more.into_iter()
                        .filter_map(|(label, text)| Some(format!("{label}: {}", text.as_ref()?))),
                );
                lines
            }
            Payment::Card { last_digits, .. } => vec![format!("{} {last_digits}", labels.card)],
            Payment::DirectDebit {
                mandate, debited_iban, ..
            } => vec![
                format!("{} {}", labels.direct_debit, in_fours(debited_iban)),
                format!("{}: {mandate}", labels.mandate),
            ],
            Payment::Cash => vec![labels.cash.to_owned()],
            Payment::Online { service } => vec![format!("{} {service}", labels.online)],
            Payment::Other { text, .. } => text.iter().cloned().collect(),
        }
    }

    fn notes(&mut self) {
        for note in &self.invoice.notes {
            self.y += 10.0;
            self.paragraph(LEFT, WIDTH, BODY, note);
        }
        if !self.invoice.attachments.is_empty() {
            let names: Vec<&str> = self
                .invoice
                .attachments
                .iter()
                .map(|file| file.file_name.as_str())
                .collect();
            self.y += 10.0;
            let text = format!("{}: {}", self.labels.attachments, names.join(", "));
            self.paragraph(LEFT, WIDTH, SMALL, &text);
        }
    }

    /// Who the seller is, and the page's number, on every sheet.
    fn feet(&mut self) {
        const FOOT: f32 = PAGE_HEIGHT - 62.0;
        let seller = &self.invoice.seller;
        let mut parts = vec![seller.name.clone()];
        parts.extend(self.identity(seller));
        let contact = [&seller.contact.name, &seller.contact.phone, &seller.contact.email];
        parts.extend(contact.into_iter().flatten().cloned());
        let lines = self
            .fonts
            .wrap(&parts.join(" · "), SMALL.weight, SMALL.size, WIDTH - 90.0);
        let (fonts, pages) = (self.fonts, self.sheets.len());
        for (index, sheet) in self.sheets.iter_mut().enumerate() {
            sheet.rule(LEFT, FOOT, WIDTH);
            let mut y = FOOT + 3.0;
            for line in lines.iter().take(3) {
                y += SMALL.size * LEADING;
                sheet.text(LEFT, y, SMALL, line);
            }
            let page = self.labels.page.replace("{page}", &(index + 1).to_string());
            let page = page.replace("{pages}", &pages.to_string());
            sheet.text_to(fonts, RIGHT, FOOT + 3.0 + SMALL.size * LEADING, SMALL, &page);
        }
    }
}

fn signed(adjustment: &Adjustment) -> i64 {
    match adjustment.direction {
        Direction::Allowance => -adjustment.amount_minor,
        Direction::Charge => adjustment.amount_minor,
    }
}

/// Street, place, country: one entry a line.
fn address_lines(party: &Party) -> Vec<String> {
    let address = &party.address;
    let place: Vec<&str> = [&address.postcode, &address.city]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let place = (!place.is_empty()).then(|| place.join(" "));
    let country = Some(address.country.clone());
    let lines = [
        address.street.clone(),
        address.addition.clone(),
        place,
        address.region.clone(),
        country,
    ];
    lines.into_iter().flatten().collect()
}

fn in_fours(iban: &str) -> String {
    let letters: Vec<char> = iban.chars().filter(|letter| *letter != ' ').collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// The column of ids is narrow; the XML has the whole id.
fn shortened(id: &str, fonts: &Fonts) -> String {
    const WIDTH_MAX: f32 = DESCRIPTION_START - LEFT - 3.0;
    let fits = |text: &str| fonts.width(text, SMALL.weight, SMALL.size) <= WIDTH_MAX;
    if fits(id) {
        return id.to_owned();
    }
    let mut kept: Vec<char> = id.chars().collect();
    while kept.len() > 1 {
        kept.remove(0);
        let text = format!("…{}", kept.iter().collect::<String>());
        if fits(&text) {
            return text;
        }
    }
    "…".to_owned()
}
