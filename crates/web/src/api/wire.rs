//! The small types every resource is written with: ids, instants, amounts, lists.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::str::FromStr;

use jiff::Timestamp;
use onescan_domain::ids;
use onescan_domain::money::{Currency, Money};
use onescan_domain::text;
use onescan_platforms::payments::Page;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{ArrayBuilder, Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::problem::{Problem, ProblemReason};

/// An id as it is written outside: with the prefix that names its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id<T>(pub T);

/// An id of the domain that can stand on the wire.
pub trait WireId: Display + FromStr {
    const PREFIX: &'static str;
    /// The schema's name.
    const NAME: &'static str;

    /// As [`Page`] wants it: without the prefix.
    fn stored(&self) -> String;
}

macro_rules! wire_ids {
    ($($name:ident = $alias:ident;)*) => {$(
        impl WireId for ids::$name {
            const PREFIX: &'static str = ids::$name::PREFIX;
            const NAME: &'static str = stringify!($name);

            fn stored(&self) -> String {
                ids::$name::stored(*self)
            }
        }

        pub type $alias = Id<ids::$name>;
    )*};
}

wire_ids! {
    PersonId = PersonRef;
    ConsentId = ConsentRef;
    InstitutionId = InstitutionRef;
    DepartmentId = DepartmentRef;
    MemberId = MemberRef;
    MerchantId = MerchantRef;
    StoreId = StoreRef;
    TerminalId = TerminalRef;
    KeyId = KeyRef;
    SessionId = SessionRef;
    CodeId = CodeRef;
    ScenarioId = ScenarioRef;
    ProfileId = ProfileRef;
    AccountId = AccountRef;
    TransferId = TransferRef;
    PaymentId = PaymentRef;
    RefundId = RefundRef;
    ChoiceId = ChoiceRef;
    InvoiceId = InvoiceRef;
    DeliveryId = DeliveryRef;
    EventId = EventRef;
    RideDeviceId = RideDeviceRef;
    TapId = TapRef;
    TravelTypeId = TravelTypeRef;
    ApplicationId = ApplicationRef;
    ConsultationId = ConsultationRef;
    BillId = BillRef;
    RideOrderId = RideRef;
    FeedId = FeedRef;
}

impl<T: WireId> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: WireId> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let error = || D::Error::custom(format!("not an id of the form {}_ and 26 letters or digits", T::PREFIX));
        text.parse().map(Self).map_err(|_| error())
    }
}

impl<T: WireId> PartialSchema for Id<T> {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", T::PREFIX)));
        object
            .examples([format!("{}_01kb6x2x8s0g00000000000000", T::PREFIX)])
            .build()
            .into()
    }
}

impl<T: WireId> ToSchema for Id<T> {
    fn name() -> Cow<'static, str> {
        T::NAME.into()
    }
}

/// Milliseconds since 1970, written as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        write!(f, "{instant:.3}")
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let instant: Result<Timestamp, _> = text.parse();
        instant
            .map(|instant| Self(instant.as_millisecond()))
            .map_err(|_| D::Error::custom("not an instant such as 2026-11-23T08:00:00.000Z"))
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 in UTC with milliseconds"))
            .examples(["2026-11-23T08:00:00.000Z"])
            .build()
            .into()
    }
}

impl ToSchema for Moment {}

/// An ISO 4217 currency in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyCode(pub Currency);

impl Serialize for CurrencyCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code())
    }
}

impl<'de> Deserialize<'de> for CurrencyCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Code;
        impl Visitor<'_> for Code {
            type Value = CurrencyCode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("three capital letters of an ISO 4217 currency in use, such as EUR")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<CurrencyCode, E> {
                Currency::parse(text)
                    .map(CurrencyCode)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Code)
    }
}

impl PartialSchema for CurrencyCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Z]{3}$"))
            .description(Some("ISO 4217 code of a currency in use"))
            .examples(["EUR"])
            .build()
            .into()
    }
}

impl ToSchema for CurrencyCode {}

/// Money in whole minor units of a currency: 1250 of EUR are 12.50 euro.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    #[schema(example = 1250, minimum = 1, maximum = 1_000_000_000_000_000_i64)]
    pub amount_minor: i64,
    pub currency: CurrencyCode,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self {
            amount_minor: money.minor,
            currency: CurrencyCode(money.currency),
        }
    }
}

/// A sum of money in whole minor units, which may be nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sum {
    #[schema(example = 1250, minimum = 0)]
    pub amount_minor: i64,
    pub currency: CurrencyCode,
}

impl From<Money> for Sum {
    fn from(money: Money) -> Self {
        Self {
            amount_minor: money.minor,
            currency: CurrencyCode(money.currency),
        }
    }
}

/// A page of a list. `next`: send it as `after` to get the page that follows; absent on the last one.
#[derive(Debug, Serialize)]
pub struct ListOf<T> {
    pub items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> ListOf<T> {
    /// The whole list.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// A page of at most `limit`; `next` is the last item's id when the page is full.
    pub fn page(items: Vec<T>, limit: u32, id: impl Fn(&T) -> String) -> Self {
        let full = items.len() >= limit as usize;
        let next = items.last().filter(|_| full).map(id);
        Self { items, next }
    }
}

impl<T: ToSchema> PartialSchema for ListOf<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(RefOr::Ref(Ref::from_schema_name(T::name())));
        let next = ObjectBuilder::new().schema_type(Type::String).description(Some(
            "send it as `after` for the page that follows; absent on the last one",
        ));
        let object = ObjectBuilder::new().property("items", items).required("items");
        object.property("next", next).build().into()
    }
}

impl<T: ToSchema> ToSchema for ListOf<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// The most one request can move, in minor units: sums of thousands of them still fit an account.
pub const AMOUNT_MAX_MINOR: i64 = 1_000_000_000_000_000;

const PAGE_MAX: u32 = 200;
const PAGE_DEFAULT: u32 = 50;

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The last id of the page before, as `next` told it.
    #[param(pattern = "^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    pub after: Option<String>,
    /// How many at most; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

impl PageQuery {
    /// How many are asked for, `1..=200`, and after which id.
    pub fn read<T: WireId>(&self) -> Result<(Option<T>, u32), Problem> {
        let mut wrong = Wrong::default();
        let limit = self.limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            wrong.add("limit", format!("use 1 to {PAGE_MAX}"));
        }
        let after = self.after.as_deref().map(str::parse::<T>).transpose();
        let after = after.unwrap_or_else(|_| {
            wrong.add("after", format!("not an id of the form {}_…", T::PREFIX));
            None
        });
        wrong.finish()?;
        Ok((after, limit))
    }

    pub fn page<T: WireId>(&self) -> Result<Page, Problem> {
        let (after, limit) = self.read::<T>()?;
        let after = after.map(|id| id.stored());
        Ok(Page { after, limit })
    }
}

/// Collects what is wrong with a request, so that all of it is told at once.
#[derive(Debug, Default)]
pub struct Wrong(Vec<ProblemReason>);

impl Wrong {
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, detail: impl ToString) {
        self.0.push(ProblemReason::field(field, detail));
    }

    pub fn push(&mut self, reason: ProblemReason) {
        self.0.push(reason);
    }

    /// A text of 1 to `max` characters; empty when it is wrong.
    pub fn line(&mut self, field: impl Into<Cow<'static, str>>, value: &str, max: usize) -> String {
        text::line(value, max).unwrap_or_else(|error| {
            self.add(field, error);
            String::new()
        })
    }

    pub fn optional_line(&mut self, field: &'static str, value: Option<&str>, max: usize) -> Option<String> {
        text::optional_line(value, max).unwrap_or_else(|error| {
            self.add(field, error);
            None
        })
    }

    /// An amount of 1 to [`AMOUNT_MAX_MINOR`].
    pub fn positive(&mut self, field: &'static str, amount: Amount) -> Money {
        let money = Money::new(amount.amount_minor, amount.currency.0);
        if money.minor < 1 {
            self.add(format!("{field}.amount_minor"), "must be at least 1");
        }
        if money.minor > AMOUNT_MAX_MINOR {
            self.add(
                format!("{field}.amount_minor"),
                format!("must be at most {AMOUNT_MAX_MINOR}"),
            );
        }
        money
    }

    /// Refuses when anything was added.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Problem::invalid_all(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds_and_are_utc() {
        assert_eq!(Moment(1_795_420_800_000).to_string(), "2026-11-23T08:00:00.000Z");
        let read: Moment = serde_json::from_str("\"2026-11-23T09:00:00.25+01:00\"").unwrap();
        assert_eq!(read, Moment(1_795_420_800_250));
        assert!(serde_json::from_str::<Moment>("\"yesterday\"").is_err());
    }

    #[test]
    fn ids_are_told_by_their_prefix() {
        let id: PaymentRef = serde_json::from_str("\"pay_01kb6x2x8s0g00000000000000\"").unwrap();
        assert_eq!(
            serde_json::to_string(&id).unwrap(),
            "\"pay_01kb6x2x8s0g00000000000000\""
        );
        let error = serde_json::from_str::<PaymentRef>("\"acc_01kb6x2x8s0g00000000000000\"").unwrap_err();
        assert!(error.to_string().starts_with("not an id of the form pay_"), "{error}");
    }

    #[test]
    fn all_wrong_fields_are_told_at_once() {
        let mut wrong = Wrong::default();
        let amount = Amount {
            amount_minor: 0,
            currency: CurrencyCode(Currency::EUR),
        };
        wrong.positive("amount", amount);
        wrong.line("order_number", " ", 64);
        wrong.line("subject", "tea", 64);
        let problem = wrong.finish().unwrap_err();
        assert_eq!(problem.detail(), "cannot be taken: amount.amount_minor, order_number");
        let mut wrong = Wrong::default();
        for amount_minor in [AMOUNT_MAX_MINOR, AMOUNT_MAX_MINOR + 1, i64::MAX] {
            wrong.positive("amount", Amount { amount_minor, ..amount });
        }
        let problem = wrong.finish().unwrap_err();
        assert_eq!(problem.into_reasons().len(), 2);
    }
}
