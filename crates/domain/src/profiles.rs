//! Invoice profiles: the buyer's details that go on an invoice, and which of them fits a payment.

use crate::codes::CodeRecordId;
use crate::ids::{ChoiceId, PaymentId, PersonId, ProfileId, ScenarioId};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileFields {
    pub title_kind: TitleKind,
    pub title: String,
    pub tax_number: Option<String>,
    pub address: Option<String>,
    pub telephone: Option<String>,
    pub bank_name: Option<String>,
    pub bank_account: Option<String>,
    pub channel: DeliveryChannel,
}

/// What is wrong with entered fields: one entry per field, so that a form can show all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileFieldError {
    #[error("a company's title needs a tax number")]
    TaxNumberMissing,
    #[error("a tax number has 5 to 20 letters and digits")]
    TaxNumberShape,
    #[error("an e-mail address has a name, an @ and a domain")]
    EmailShape,
}

impl ProfileFields {
    /// The field's name with what is wrong. Texts were trimmed and bounded when they were read.
    pub fn check(&self) -> Vec<(&'static str, ProfileFieldError)> {
        let mut wrong = Vec::new();
        match (&self.tax_number, self.title_kind) {
            (None, TitleKind::Company) => wrong.push(("tax_number", ProfileFieldError::TaxNumberMissing)),
            (Some(number), _) if !is_tax_number(number) => {
                wrong.push(("tax_number", ProfileFieldError::TaxNumberShape))
            }
            (Some(_) | None, _) => {}
        }
        if let DeliveryChannel::Email(address) = &self.channel
            && !is_email(address)
        {
            wrong.push(("email", ProfileFieldError::EmailShape));
        }
        wrong
    }
}

fn is_tax_number(text: &str) -> bool {
    (5..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_email(text: &str) -> bool {
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
        ProfileFields {
            title_kind: TitleKind::Personal,
            title: "韩梅梅".to_owned(),
            tax_number: None,
            address: None,
            telephone: None,
            bank_name: None,
            bank_account: None,
            channel: DeliveryChannel::Inbox,
        }
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
}
