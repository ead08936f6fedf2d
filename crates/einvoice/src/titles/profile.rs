//! What of a buyer's profile stands where on an invoice, and back: the buyer of another's invoice as a profile.
//!
//! Row S20. Source: EN 16931-1 BG-7 to BG-9.

use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};
use onescan_domain::tax_ids::lists::{ADDRESS_SCHEMES, contains};
use onescan_domain::tax_ids::{ElectronicAddress, credit_code};

use super::title_qr::Title;
use crate::invoice::{Address, Contact, Identifier, Invoice, Party};

/// The scheme of an e-mail address.
const EMAIL: &str = "EM";

/// The buyer \[BG-7\] that `fields` describe. [`Invoice::check`] names what a profile lacks for the rules it is written by.
///
/// Without an electronic address of its own the e-mail address stands for it. Bank and account have no place on an invoice
/// by EN 16931.
pub fn buyer_of(fields: &ProfileFields) -> Party {
    let numbers = fields.numbers();
    let email = match &fields.channel {
        DeliveryChannel::Inbox => None,
        DeliveryChannel::Email(address) => Some(address.clone()),
    };
    let electronic = fields.electronic_address.as_deref().or(email.as_deref());
    let electronic = electronic.and_then(|text| ElectronicAddress::parse(text).ok());
    Party {
        name: fields.title.clone(),
        address: Address {
            street: fields.address.clone(),
            city: fields.city.clone(),
            postcode: fields.postcode.clone(),
            country: fields.country_known().unwrap_or_default().to_owned(),
            ..Address::default()
        },
        vat_id: numbers.vat_id,
        legal_id: numbers.register.map(|value| Identifier { scheme: None, value }),
        electronic_address: electronic.map(|address| Identifier {
            scheme: Some(address.scheme().to_owned()),
            value: address.value().to_owned(),
        }),
        contact: Contact {
            name: None,
            phone: fields.telephone.clone(),
            email,
        },
        ..Party::default()
    }
}

/// The buyer of `invoice` as a profile: a company where it has a VAT id or a register number. Not checked; a form shows it
/// to its owner first.
pub fn profile_of(invoice: &Invoice) -> ProfileFields {
    let buyer = &invoice.buyer;
    let register = buyer.legal_id.as_ref().map(|id| id.value.clone());
    let kind = match buyer.vat_id.is_some() || register.is_some() {
        true => TitleKind::Company,
        false => TitleKind::Personal,
    };
    let electronic = buyer.electronic_address.as_ref();
    let by_email = electronic.filter(|address| address.scheme.as_deref() == Some(EMAIL));
    let email = buyer
        .contact
        .email
        .clone()
        .or_else(|| by_email.map(|address| address.value.clone()));
    ProfileFields {
        tax_number: register.map(|number| without_blanks(&number)),
        vat_id: buyer.vat_id.clone(),
        address: street(&buyer.address),
        postcode: buyer.address.postcode.clone(),
        city: buyer.address.city.clone(),
        country: Some(buyer.address.country.clone()).filter(|country| !country.is_empty()),
        telephone: buyer.contact.phone.clone(),
        electronic_address: electronic
            .filter(|address| address.scheme.as_deref() != Some(EMAIL))
            .and_then(written),
        buyer_reference: invoice.buyer_reference.clone(),
        channel: email.map_or(DeliveryChannel::Inbox, DeliveryChannel::Email),
        ..ProfileFields::new(kind, &buyer.name)
    }
}

/// The title as China's tax administration knows it. What has a place of its own here but not there stands in the address.
pub fn title_of(fields: &ProfileFields) -> Title {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let street = text(&fields.address);
    let city = fields.city.as_deref().filter(|city| !street.contains(city));
    Title {
        name: fields.title.clone(),
        tax_id: text(&fields.tax_number),
        address: format!("{}{street}", city.unwrap_or_default()),
        phone: text(&fields.telephone),
        bank: text(&fields.bank_name),
        account: text(&fields.bank_account),
    }
}

/// A title with a tax id is a company's, and every title is a Chinese one.
pub fn profile_of_title(title: &Title) -> ProfileFields {
    let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let kind = match title.tax_id.is_empty() {
        true => TitleKind::Personal,
        false => TitleKind::Company,
    };
    ProfileFields {
        tax_number: text(&title.tax_id.to_ascii_uppercase()),
        address: text(&title.address),
        country: text("CN"),
        telephone: text(&title.phone),
        bank_name: text(&title.bank),
        bank_account: text(&title.account),
        ..ProfileFields::new(kind, &title.name)
    }
}

/// Register numbers of others may be grouped by blanks; a credit code never is.
fn without_blanks(number: &str) -> String {
    let packed: String = number.chars().filter(|letter| !letter.is_whitespace()).collect();
    match credit_code::check(&packed) {
        Ok(()) => packed.to_ascii_uppercase(),
        Err(_) => packed,
    }
}

fn street(address: &Address) -> Option<String> {
    let parts: Vec<&str> = [&address.street, &address.addition]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn written(address: &Identifier) -> Option<String> {
    let scheme = address
        .scheme
        .as_deref()
        .filter(|scheme| contains(ADDRESS_SCHEMES, scheme))?;
    Some(format!("{scheme}:{}", address.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invoice::Prices;
    use crate::invoice::tests::invoice_with;

    fn company() -> ProfileFields {
        let text = |text: &str| Some(text.to_owned());
        ProfileFields {
            tax_number: text("91310115MA1K000003"),
            vat_id: text("DE123456789"),
            address: text("示例路88号"),
            postcode: text("200000"),
            city: text("上海市"),
            country: text("CN"),
            telephone: text("021-12345678"),
            electronic_address: text("0204:991-01234-56"),
            buyer_reference: text("04011000-12345-03"),
            channel: DeliveryChannel::Email("a@example.org".to_owned()),
            ..ProfileFields::new(TitleKind::Company, "上海示例科技有限公司")
        }
    }

    /// What comes back when `fields` went on an invoice.
    fn back(fields: &ProfileFields) -> ProfileFields {
        let mut invoice = invoice_with(Prices::Net, "EUR", vec![]);
        invoice.buyer = buyer_of(fields);
        invoice.buyer_reference = fields.buyer_reference.clone();
        profile_of(&invoice)
    }

    #[test]
    fn a_profile_comes_back_from_an_invoice() {
        assert_eq!(back(&company()), company());
        let person = ProfileFields::new(TitleKind::Personal, "Li Na");
        assert_eq!(back(&person), person);
        // Nobody needs an address of their own to be reached by mail.
        let mailed = ProfileFields {
            electronic_address: None,
            ..company()
        };
        let address = buyer_of(&mailed).electronic_address.unwrap();
        assert_eq!(
            (address.scheme.as_deref(), address.value.as_str()),
            (Some("EM"), "a@example.org")
        );
        assert_eq!(back(&mailed), mailed);
    }

    #[test]
    fn a_title_holds_its_seven_fields() {
        let fields = ProfileFields {
            bank_name: Some("示例银行".to_owned()),
            bank_account: Some("6222000011112222".to_owned()),
            ..company()
        };
        let title = title_of(&fields);
        assert_eq!(
            (title.tax_id.as_str(), title.address.as_str()),
            ("91310115MA1K000003", "上海市示例路88号")
        );
        let back = profile_of_title(&title);
        assert_eq!(back.check(), []);
        assert_eq!(title_of(&back), title);
        let person = title_of(&ProfileFields::new(TitleKind::Personal, "李娜"));
        assert_eq!(profile_of_title(&person).title_kind, TitleKind::Personal);
    }

    #[test]
    fn old_profiles_have_the_country_of_their_numbers() {
        let old = |number: &str| ProfileFields {
            tax_number: Some(number.to_owned()),
            ..ProfileFields::new(TitleKind::Company, "x")
        };
        let german = buyer_of(&old("DE123456789"));
        assert_eq!(
            (german.vat_id.as_deref(), german.address.country.as_str()),
            (Some("DE123456789"), "DE")
        );
        let chinese = buyer_of(&old("91310115MA1K000003"));
        assert_eq!((chinese.vat_id, chinese.address.country.as_str()), (None, "CN"));
    }
}
