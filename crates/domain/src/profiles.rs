//! Invoice profiles: the buyer's details that go on an invoice, and which of them fits a payment.

use crate::codes::CodeRecordId;
use crate::ids::{ChoiceId, PaymentId, PersonId, ProfileId, ScenarioId};
use crate::tax_ids::credit_code::{self, CreditCodeError};
use crate::tax_ids::lists::{COUNTRIES, contains};
use crate::tax_ids::vat_id::{self, VatIdError};
use crate::tax_ids::{ElectronicAddress, ElectronicAddressError};

/// Whom the invoice names as buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TitleKind {
    /// A private person: a name is enough.
    Personal,
    /// A company: a name and a tax number.
    Company,
}

impl TitleKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Company => "company",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Personal, Self::Company]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Where a finished invoice goes. Source: S \[86\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryChannel {
    /// The person's pages here.
    Inbox,
    Email(String),
}

/// The invoice application keywords: what the buyer wants to see on the invoice. Row S06.
///
/// In brackets: the business term of EN 16931 that a field feeds. Fields of old rows that came later are `None`; what the
/// numbers tell of them, [`ProfileFields::country_known`] and [`ProfileFields::numbers`] find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileFields {
    pub title_kind: TitleKind,
    /// \[BT-44\]
    pub title: String,
    /// \[BT-47\] In China the unified social credit code or an older taxpayer number, elsewhere the company's number in its register.
    pub tax_number: Option<String>,
    /// \[BT-48\] With the letters of its country.
    pub vat_id: Option<String>,
    /// \[BT-50\] Street and number; a Chinese title has its whole address here.
    pub address: Option<String>,
    /// \[BT-53\]
    pub postcode: Option<String>,
    /// \[BT-52\]
    pub city: Option<String>,
    /// \[BT-55\] ISO 3166-1, two letters.
    pub country: Option<String>,
    /// \[BT-57\]
    pub telephone: Option<String>,
    /// Stands on a page in fapiao form; EN 16931 knows no account of the buyer but one that is debited.
    pub bank_name: Option<String>,
    pub bank_account: Option<String>,
    /// \[BT-49\] In the written form of [`ElectronicAddress`].
    pub electronic_address: Option<String>,
    /// \[BT-10\] What the buyer wants to see again: a Leitweg-ID, a cost centre.
    pub buyer_reference: Option<String>,
    /// \[BT-58\] when it is an e-mail address.
    pub channel: DeliveryChannel,
}

/// What is wrong with entered fields: one entry per field, so that a form can show all at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileFieldError {
    #[error("a company's title needs a tax number or a VAT id")]
    TaxNumberMissing,
    #[error("a tax number has 5 to 20 letters and digits")]
    TaxNumberShape,
    /// Of a company in China whose number is not one of the older ones of 15, 17 or 20 characters.
    #[error(transparent)]
    CreditCode(CreditCodeError),
    #[error(transparent)]
    VatId(VatIdError),
    #[error("a country has the two capital letters of ISO 3166-1, for example DE or CN")]
    CountryUnknown,
    #[error(transparent)]
    ElectronicAddress(ElectronicAddressError),
    #[error("an e-mail address has a name, an @ and a domain")]
    EmailShape,
}

/// The numbers of a profile as an invoice names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileNumbers {
    /// \[BT-48\]
    pub vat_id: Option<String>,
    /// \[BT-47\]
    pub register: Option<String>,
}

impl ProfileFields {
    /// With nothing but a name; the invoice goes to the inbox.
    pub fn new(title_kind: TitleKind, title: &str) -> Self {
        Self {
            title_kind,
            title: title.to_owned(),
            tax_number: None,
            vat_id: None,
            address: None,
            postcode: None,
            city: None,
            country: None,
            telephone: None,
            bank_name: None,
            bank_account: None,
            electronic_address: None,
            buyer_reference: None,
            channel: DeliveryChannel::Inbox,
        }
    }

    /// Numbers as they are written on documents: a VAT id without blanks, letters of country and scheme in capitals.
    pub fn tidied(mut self) -> Self {
        self.country = self.country.map(|country| country.to_ascii_uppercase());
        self.vat_id = self.vat_id.map(|vat_id| vat_id::written(&vat_id));
        let address = self.electronic_address;
        self.electronic_address =
            address.map(|text| ElectronicAddress::parse(&text).map_or(text, |address| address.to_string()));
        self
    }

    /// The field's name with what is wrong, in the order of the form. Texts were trimmed and bounded when they were read.
    pub fn check(&self) -> Vec<(&'static str, ProfileFieldError)> {
        let email = match &self.channel {
            DeliveryChannel::Email(address) if !is_email(address) => Some(ProfileFieldError::EmailShape),
            DeliveryChannel::Email(_) | DeliveryChannel::Inbox => None,
        };
        let is_unknown = |country: &String| !contains(COUNTRIES, country);
        let address = self.electronic_address.as_deref().map(ElectronicAddress::parse);
        let checked = [
            ("tax_number", self.wrong_tax_number()),
            ("vat_id", self.wrong_vat_id()),
            (
                "country",
                self.country
                    .as_ref()
                    .filter(|country| is_unknown(country))
                    .map(|_| ProfileFieldError::CountryUnknown),
            ),
            (
                "electronic_address",
                address.and_then(Result::err).map(ProfileFieldError::ElectronicAddress),
            ),
            ("email", email),
        ];
        checked
            .into_iter()
            .filter_map(|(field, error)| Some((field, error?)))
            .collect()
    }

    fn wrong_tax_number(&self) -> Option<ProfileFieldError> {
        let is_company = self.title_kind == TitleKind::Company;
        let in_china = self.country.as_deref() == Some(CHINA);
        let Some(number) = &self.tax_number else {
            let is_missing = is_company && (in_china || self.vat_id.is_none());
            return is_missing.then_some(ProfileFieldError::TaxNumberMissing);
        };
        if !is_tax_number(number) {
            return Some(ProfileFieldError::TaxNumberShape);
        }
        let is_older = matches!(number.len(), 15 | 17 | 20);
        let is_checked = is_company && in_china && !is_older;
        is_checked
            .then(|| credit_code::check(number).err())?
            .map(ProfileFieldError::CreditCode)
    }

    /// Numbers of countries whose shape is not known here pass when they name a country at all.
    fn wrong_vat_id(&self) -> Option<ProfileFieldError> {
        let vat_id = self.vat_id.as_ref()?;
        match vat_id::check(vat_id) {
            Ok(_) => None,
            Err(VatIdError::UnknownCountry { country }) if contains(COUNTRIES, &country) && is_tax_number(vat_id) => {
                None
            }
            Err(error) => Some(ProfileFieldError::VatId(error)),
        }
    }

    /// The country that was entered, else the one that the numbers tell.
    pub fn country_known(&self) -> Option<&str> {
        if let Some(country) = &self.country {
            return Some(country);
        }
        let vat_id = self.vat_id.as_deref().or(self.vat_id_among_numbers());
        match (vat_id.and_then(|vat_id| vat_id.get(..2)), &self.tax_number) {
            (Some("EL"), _) => Some("GR"),
            (Some("XI"), _) => Some("GB"),
            (Some(country), _) => Some(country),
            (None, Some(number)) if credit_code::check(number).is_ok() => Some(CHINA),
            (None, _) => None,
        }
    }

    /// Before there was a field for it, a VAT id was entered as tax number; there it counts as the VAT id that it is.
    pub fn numbers(&self) -> ProfileNumbers {
        match (&self.vat_id, self.vat_id_among_numbers()) {
            (None, Some(vat_id)) => ProfileNumbers {
                vat_id: Some(vat_id.to_owned()),
                register: None,
            },
            (vat_id, _) => ProfileNumbers {
                vat_id: vat_id.clone(),
                register: self.tax_number.clone(),
            },
        }
    }

    fn vat_id_among_numbers(&self) -> Option<&str> {
        self.tax_number
            .as_deref()
            .filter(|number| vat_id::check(number).as_deref() == Ok(*number))
    }
}

const CHINA: &str = "CN";

fn is_tax_number(text: &str) -> bool {
    (5..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A name, an `@` and a domain; at most 254 bytes without blanks.
pub fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let labels = domain.split('.').all(|label| !label.is_empty());
    !name.is_empty() && domain.contains('.') && labels && text.len() <= 254 && !text.contains(char::is_whitespace)
}

/// A buyer's details with an id of their own, tied to a code record. Row S06. Source: S \[46\]-\[50\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceProfile {
    pub id: ProfileId,
    pub record: CodeRecordId,
    pub fields: ProfileFields,
    /// The scenarios it is meant for; empty: any. Row S18.
    pub scenarios: Vec<ScenarioId>,
    /// Taken when the person does not choose in time.
    pub preferred: bool,
    pub created_at: i64,
}

/// Which profiles fit a payment in `scenario`: those tied to it; where none is, those tied to none. The preferred one
/// comes first, then the oldest. Row S18. Source: S \[87\]-\[88\].
pub fn fitting(profiles: &[InvoiceProfile], scenario: Option<ScenarioId>) -> Vec<&InvoiceProfile> {
    let tied = |profile: &&InvoiceProfile| scenario.is_some_and(|scenario| profile.scenarios.contains(&scenario));
    let mut fitting: Vec<_> = profiles.iter().filter(tied).collect();
    if fitting.is_empty() {
        fitting = profiles.iter().filter(|profile| profile.scenarios.is_empty()).collect();
    }
    fitting.sort_by_key(|profile| (!profile.preferred, profile.id));
    fitting
}

/// A question to the person: which of several profiles goes on this payment's invoice? Row S19. Source: S \[95\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileChoice {
    pub id: ChoiceId,
    pub payment: PaymentId,
    pub record: CodeRecordId,
    pub person: PersonId,
    /// In the order of [`fitting`]; the first is the default. At least two.
    pub candidates: Vec<ProfileId>,
    /// When the default is taken.
    pub until: i64,
    pub chosen: Option<ProfileId>,
}

impl ProfileChoice {
    /// The chosen profile, the default once the time is over, or `None` while the person may still answer.
    pub fn settled(&self, now: i64) -> Option<ProfileId> {
        self.chosen
            .or_else(|| (now >= self.until).then(|| self.candidates.first().copied()).flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Bucket;
    use crate::ids::RawId;

    fn id(number: i64) -> RawId {
        RawId::from_parts(number, Bucket::new(0).unwrap(), 0)
    }

    fn profile(number: i64, scenarios: &[i64], preferred: bool) -> InvoiceProfile {
        InvoiceProfile {
            id: ProfileId::new(id(number)),
            record: CodeRecordId::from_stored("r"),
            fields: fields(),
            scenarios: scenarios
                .iter()
                .map(|scenario| ScenarioId::new(id(*scenario)))
                .collect(),
            preferred,
            created_at: 0,
        }
    }

    fn fields() -> ProfileFields {
        ProfileFields::new(TitleKind::Personal, "韩梅梅")
    }

    #[test]
    fn a_scenario_has_its_own_profiles_before_the_general_ones() {
        let all = [profile(1, &[], false), profile(2, &[], true), profile(3, &[50], false)];
        let names = |scenario: Option<i64>| {
            let scenario = scenario.map(|number| ScenarioId::new(id(number)));
            fitting(&all, scenario)
                .iter()
                .map(|profile| profile.id.raw().at_ms())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Some(50)), [3]);
        assert_eq!(names(Some(51)), [2, 1]);
        assert_eq!(names(None), [2, 1]);
    }

    #[test]
    fn all_wrong_fields_are_named_at_once() {
        let wrong = ProfileFields {
            title_kind: TitleKind::Company,
            tax_number: Some("12 34".to_owned()),
            channel: DeliveryChannel::Email("a@b".to_owned()),
            ..fields()
        };
        let expected = [
            ("tax_number", ProfileFieldError::TaxNumberShape),
            ("email", ProfileFieldError::EmailShape),
        ];
        assert_eq!(wrong.check(), expected);
        let missing = ProfileFields {
            title_kind: TitleKind::Company,
            ..fields()
        };
        assert_eq!(missing.check(), [("tax_number", ProfileFieldError::TaxNumberMissing)]);
    }

    #[test]
    fn numbers_are_checked_by_the_rules_of_the_country() {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let wrong = |country: &str, tax_number: &str, vat_id: &str| {
            let fields = ProfileFields {
                country: some(country),
                tax_number: some(tax_number),
                vat_id: some(vat_id),
                ..ProfileFields::new(TitleKind::Company, "x")
            };
            let found = fields.tidied().check();
            found
                .into_iter()
                .map(|(field, error)| format!("{field}: {error}"))
                .collect::<Vec<_>>()
                .join("; ")
        };
        let cases = [
            ("cn", "91310115MA1K000003", "", ""),
            (
                "CN",
                "91310115MA1K000004",
                "",
                "tax_number: the last character should be 3: something is mistyped",
            ),
            ("CN", "123456789012345", "", ""),
            (
                "CN",
                "1234567",
                "",
                "tax_number: a unified social credit code has 18 characters, this has 7",
            ),
            (
                "CN",
                "",
                "DE123456789",
                "tax_number: a company's title needs a tax number or a VAT id",
            ),
            ("DE", "", "de 123 456 789", ""),
            ("DE", "", "DE12345678", "vat_id: a VAT id of DE looks like 999999999"),
            ("GB", "", "GB123456789", ""),
            (
                "",
                "",
                "ZZ123456789",
                "vat_id: ZZ issues no VAT ids that are known here",
            ),
            (
                "UK",
                "12345",
                "",
                "country: a country has the two capital letters of ISO 3166-1, for example DE or CN",
            ),
            ("", "91310115MA1K000004", "", ""),
        ];
        for (country, tax_number, vat_id, expected) in cases {
            assert_eq!(
                wrong(country, tax_number, vat_id),
                expected,
                "{country} {tax_number} {vat_id}"
            );
        }
    }

    #[test]
    fn numbers_of_old_profiles_tell_their_country() {
        let known = |number: &str| {
            let fields = ProfileFields {
                tax_number: Some(number.to_owned()),
                ..fields()
            };
            (fields.country_known().map(str::to_owned), fields.numbers())
        };
        let numbers = |vat_id: Option<&str>, register: Option<&str>| ProfileNumbers {
            vat_id: vat_id.map(str::to_owned),
            register: register.map(str::to_owned),
        };
        let china = Some("CN".to_owned());
        assert_eq!(
            known("91310115MA1K000003"),
            (china, numbers(None, Some("91310115MA1K000003")))
        );
        assert_eq!(
            known("EL123456789"),
            (Some("GR".to_owned()), numbers(Some("EL123456789"), None))
        );
        assert_eq!(known("HRB12345"), (None, numbers(None, Some("HRB12345"))));
    }
}
