//! How values travel: each has a form, which serde writes and reads, and a schema for the contract's document.
//!
//! A mirrored type is a table: one line per field. Construction names every field and every variant, so that a value that
//! gains one does not compile until its form has it too. What is read is checked as at every other edge.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use onescan_domain::bucket::{BUCKETS, Bucket};
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::codes::{Categories, CodeRecordId, CodeText};
use onescan_domain::geo::GeoPoint;
use onescan_domain::money::{Currency, Money};
use onescan_domain::policy::Policy;
use onescan_domain::rides::decision::RideDecision;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A text that is not what the contract says. `what`: the field, with points between levels, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub(crate) struct Unreadable {
    path: String,
    what: String,
}

impl Unreadable {
    pub(crate) fn new(what: impl ToString) -> Self {
        Self {
            path: String::new(),
            what: what.to_string(),
        }
    }

    pub(crate) fn within(mut self, field: &str) -> Self {
        self.path = match self.path.is_empty() {
            true => field.to_owned(),
            false => format!("{field}.{}", self.path),
        };
        self
    }
}

/// The named schemas of a document.
pub(crate) type Schemas = BTreeMap<String, Value>;

/// A value that can travel.
pub(crate) trait Wire {
    type Form: Serialize + DeserializeOwned + Send + Sync;
    /// `Self`, where that has a size.
    type Owned;
    fn form(&self) -> Self::Form;
    fn read(form: Self::Form) -> Result<Self::Owned, Unreadable>;
    fn schema(schemas: &mut Schemas) -> Value;
}

/// Names a schema, and writes it where it is not written yet.
pub(crate) fn named(schemas: &mut Schemas, name: &str, write: impl FnOnce(&mut Schemas) -> Value) -> Value {
    if !schemas.contains_key(name) {
        schemas.insert(name.to_owned(), Value::Null);
        let schema = write(schemas);
        schemas.insert(name.to_owned(), schema);
    }
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// One property of an object: name, schema, description.
pub(crate) type Property = (&'static str, Value, String);

/// An object; what may be null may also be left out.
pub(crate) fn object(about: &str, properties: Vec<Property>) -> Value {
    let mut required = Vec::new();
    let mut described = serde_json::Map::new();
    for (name, mut schema, about) in properties {
        let nullable = schema["anyOf"]
            .as_array()
            .is_some_and(|any| any.contains(&json!({"type": "null"})))
            || schema["type"]
                .as_array()
                .is_some_and(|kinds| kinds.contains(&json!("null")));
        if !nullable {
            required.push(name);
        }
        if !about.is_empty() {
            schema["description"] = about.into();
        }
        described.insert(name.to_owned(), schema);
    }
    let mut object = json!({ "type": "object", "properties": described, "required": required });
    if !about.is_empty() {
        object["description"] = about.into();
    }
    object
}

/// The lines of a doc comment as one text.
pub(crate) fn sentence(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Structs, field by field, under the name of their form.
macro_rules! mirrored {
    ($( $(#[doc = $about:literal])* $source:ident as $form:ident { $( $(#[doc = $doc:literal])* $field:ident : $kind:ty ),* $(,)? } )*) => {$(
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(crate) struct $form { $( $field: <$kind as Wire>::Form ),* }

        impl Wire for $source {
            type Form = $form;
            type Owned = Self;

            fn form(&self) -> $form {
                let Self { $($field),* } = self;
                $form { $( $field: <$kind as Wire>::form($field) ),* }
            }

            fn read(form: $form) -> Result<Self, Unreadable> {
                Ok(Self { $( $field: <$kind as Wire>::read(form.$field).map_err(|wrong| wrong.within(stringify!($field)))? ),* })
            }

            fn schema(schemas: &mut $crate::wire::form::Schemas) -> serde_json::Value {
                use $crate::wire::form::{named, object, sentence};
                named(schemas, stringify!($source), |schemas| {
                    let properties = vec![$( (
                        stringify!($field),
                        <$kind as Wire>::schema(schemas),
                        sentence(&[$($doc),*]),
                    ) ),*];
                    object(&sentence(&[$($about),*]), properties)
                })
            }
        }
    )*};
}
pub(crate) use mirrored;

/// Enums whose variants hold something: an object with `kind`. A variant that holds a single unnamed value names it here.
macro_rules! tagged {
    ($( $(#[doc = $about:literal])* $source:ident as $form:ident {
        $( $variant:ident $( { $( $field:ident : $kind:ty ),* $(,)? } )? $( ( $inner:ident : $inner_kind:ty ) )? = $tag:literal ),* $(,)?
    } )*) => {$(
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(tag = "kind")]
        pub(crate) enum $form {
            $( #[serde(rename = $tag)] $variant
                $( { $( $field: <$kind as Wire>::Form ),* } )?
                $( { $inner: <$inner_kind as Wire>::Form } )? ),*
        }

        impl Wire for $source {
            type Form = $form;
            type Owned = Self;

            fn form(&self) -> $form {
                match self {
                    $( Self::$variant $( { $($field),* } )? $( ( $inner ) )? => $form::$variant
                        $( { $( $field: <$kind as Wire>::form($field) ),* } )?
                        $( { $inner: <$inner_kind as Wire>::form($inner) } )? ),*
                }
            }

            fn read(form: $form) -> Result<Self, Unreadable> {
                Ok(match form {
                    $( $form::$variant $( { $($field),* } )? $( { $inner } )? => Self::$variant
                        $( { $( $field: <$kind as Wire>::read($field).map_err(|wrong| wrong.within(stringify!($field)))? ),* } )?
                        $( ( <$inner_kind as Wire>::read($inner).map_err(|wrong| wrong.within(stringify!($inner)))? ) )? ),*
                })
            }

            fn schema(schemas: &mut $crate::wire::form::Schemas) -> serde_json::Value {
                use $crate::wire::form::{named, object, sentence};
                named(schemas, stringify!($source), |schemas| {
                    let variants = vec![$( object("", vec![
                        ("kind", serde_json::json!({ "const": $tag }), String::new()),
                        $( $( (stringify!($field), <$kind as Wire>::schema(schemas), String::new()), )* )?
                        $( (stringify!($inner), <$inner_kind as Wire>::schema(schemas), String::new()), )?
                    ]) ),*];
                    serde_json::json!({ "description": sentence(&[$($about),*]), "oneOf": variants })
                })
            }
        }
    )*};
}
pub(crate) use tagged;

/// Enums whose variants hold nothing: a word.
macro_rules! words {
    ($( $(#[doc = $about:literal])* $source:ident { $( $variant:ident = $word:literal ),* $(,)? } )*) => {$(
        impl Wire for $source {
            type Form = std::borrow::Cow<'static, str>;
            type Owned = Self;

            fn form(&self) -> Self::Form {
                match self { $( Self::$variant => $word ),* }.into()
            }

            fn read(form: Self::Form) -> Result<Self, Unreadable> {
                match &*form {
                    $( $word => Ok(Self::$variant), )*
                    _ => Err(Unreadable::new(concat!("must be one of", $( " ", $word ),*))),
                }
            }

            fn schema(schemas: &mut $crate::wire::form::Schemas) -> serde_json::Value {
                use $crate::wire::form::{named, sentence};
                named(schemas, stringify!($source), |_| {
                    let about = sentence(&[$($about),*]);
                    serde_json::json!({ "type": "string", "enum": [$($word),*], "description": about })
                })
            }
        }
    )*};
}
pub(crate) use words;

/// Identifiers: a prefix and 26 letters.
macro_rules! ids {
    ($($id:ident),* $(,)?) => {$(
        impl Wire for onescan_domain::ids::$id {
            type Form = String;
            type Owned = Self;

            fn form(&self) -> String {
                self.to_string()
            }

            fn read(form: String) -> Result<Self, Unreadable> {
                form.parse().map_err(Unreadable::new)
            }

            fn schema(schemas: &mut Schemas) -> Value {
                named(schemas, stringify!($id), |_| {
                    let pattern = format!("^{}_[0-9a-hjkmnp-tv-z]{{26}}$", Self::PREFIX);
                    json!({ "type": "string", "pattern": pattern })
                })
            }
        }
    )*};
}

ids! {
    PersonId, InstitutionId, MemberId, MerchantId, StoreId, TerminalId, KeyId, CodeId, ScenarioId, ProfileId, AccountId,
    TransferId, PaymentId, RefundId, ChoiceId, EventId, RideOrderId, TravelTypeId,
}

/// Values that are their own form.
macro_rules! plain {
    ($($kind:ty: $schema:tt;)*) => {$(
        impl Wire for $kind {
            type Form = Self;
            type Owned = Self;

            fn form(&self) -> Self {
                self.clone()
            }

            fn read(form: Self) -> Result<Self, Unreadable> {
                Ok(form)
            }

            fn schema(_: &mut Schemas) -> Value {
                json!($schema)
            }
        }
    )*};
}

plain! {
    i64: {"type": "integer", "format": "int64"};
    i32: {"type": "integer", "format": "int32"};
    u32: {"type": "integer", "minimum": 0};
    u16: {"type": "integer", "minimum": 0, "maximum": 65535};
    u64: {"type": "integer", "minimum": 0};
    bool: {"type": "boolean"};
    String: {"type": "string"};
    (): {"type": "null"};
}

/// Values that are written as text and parsed.
macro_rules! texts {
    ($($kind:ty: $to:expr, $from:expr, $schema:tt;)*) => {$(
        impl Wire for $kind {
            type Form = String;
            type Owned = Self;

            fn form(&self) -> String {
                let to: fn(&Self) -> String = $to;
                to(self)
            }

            fn read(form: String) -> Result<Self, Unreadable> {
                let from: fn(&str) -> Result<Self, Unreadable> = $from;
                from(&form)
            }

            fn schema(_: &mut Schemas) -> Value {
                json!($schema)
            }
        }
    )*};
}

pub(crate) use texts;

texts! {
    CodeText: |text| text.as_str().to_owned(), |text| CodeText::parse(text).map_err(Unreadable::new),
        {"type": "string", "pattern": "^[0-9]{18}$", "description": "The digits of a service code. Never to be logged."};
    CodeRecordId: |id| id.as_str().to_owned(), |text| record_id(text),
        {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[0-9a-z_]+$"};
    Categories: ToString::to_string, |text| Categories::parse(text).map_err(Unreadable::new),
        {"type": "string", "example": "5411, 5811-5814", "description": "ISO 18245 codes and ranges; empty: all."};
    Policy: ToString::to_string, |text| Policy::parse(text).map_err(Unreadable::new),
        {"type": "string", "example": "amount <= 5000\namount_day <= 12000\n", "description": "One condition a line; all must hold."};
    WorkCalendar: ToString::to_string, |text| WorkCalendar::parse(text).map_err(Unreadable::new),
        {"type": "string", "example": "2026-10-01..2026-10-07,holiday,National Day\n", "description": "Days that differ from their weekday, one or a run of them a line: date, kind, name."};
    RideDecision: RideDecision::text, |text| RideDecision::parse(text).ok_or_else(|| Unreadable::new("is no decision")),
        {"type": "string", "example": "refuse: over budget", "description": "`approve`, `refuse: ` with a reason, or `none: ` and why nothing was answered."};
    GeoPoint: ToString::to_string, |text| geo_point(text),
        {"type": "string", "example": "36.559491 139.899640", "description": "Latitude and longitude in decimal degrees."};
    Currency: |currency| currency.code().to_owned(), |text| Currency::parse(text).ok_or_else(|| Unreadable::new("is no currency of ISO 4217")),
        {"type": "string", "pattern": "^[A-Z]{3}$"};
}

fn geo_point(text: &str) -> Result<GeoPoint, Unreadable> {
    let point = text.split_once(' ').and_then(|(lat, lon)| GeoPoint::parse(lat, lon));
    point.ok_or_else(|| Unreadable::new("is no place on earth"))
}

fn record_id(text: &str) -> Result<CodeRecordId, Unreadable> {
    let clean = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let fits = (1..=200).contains(&text.len()) && text.bytes().all(clean);
    fits.then(|| CodeRecordId::from_stored(text))
        .ok_or_else(|| Unreadable::new("a record's id has 1 to 200 lower case letters, digits and _"))
}

impl Wire for str {
    type Form = String;
    type Owned = String;

    fn form(&self) -> String {
        self.to_owned()
    }

    fn read(form: String) -> Result<String, Unreadable> {
        Ok(form)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "string"})
    }
}

impl Wire for Bucket {
    type Form = u16;
    type Owned = Self;

    fn form(&self) -> u16 {
        self.number()
    }

    fn read(form: u16) -> Result<Self, Unreadable> {
        Self::new(form).ok_or_else(|| Unreadable::new("a bucket is 0 to 4095"))
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "integer", "minimum": 0, "maximum": BUCKETS - 1})
    }
}

impl<T: Wire<Owned = T>> Wire for Option<T> {
    type Form = Option<T::Form>;
    type Owned = Self;

    fn form(&self) -> Self::Form {
        self.as_ref().map(T::form)
    }

    fn read(form: Self::Form) -> Result<Self, Unreadable> {
        form.map(T::read).transpose()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "anyOf": [T::schema(schemas), { "type": "null" }] })
    }
}

/// Large values of small enums are boxed; on the wire that cannot be seen.
impl<T: Wire<Owned = T>> Wire for Box<T> {
    type Form = Box<T::Form>;
    type Owned = Self;

    fn form(&self) -> Self::Form {
        Box::new(T::form(self))
    }

    fn read(form: Self::Form) -> Result<Self, Unreadable> {
        T::read(*form).map(Self::new)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        T::schema(schemas)
    }
}

/// Two texts that belong together, as a name and its value.
impl Wire for (String, String) {
    type Form = [String; 2];
    type Owned = Self;

    fn form(&self) -> [String; 2] {
        [self.0.clone(), self.1.clone()]
    }

    fn read([first, second]: [String; 2]) -> Result<Self, Unreadable> {
        Ok((first, second))
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2 })
    }
}

impl<T: Wire<Owned = T>> Wire for Vec<T> {
    type Form = Vec<T::Form>;
    type Owned = Self;

    fn form(&self) -> Self::Form {
        self.iter().map(T::form).collect()
    }

    fn read(form: Self::Form) -> Result<Self, Unreadable> {
        let read = |(place, form)| T::read(form).map_err(|wrong| wrong.within(&format!("{place}")));
        form.into_iter().enumerate().map(read).collect()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "array", "items": T::schema(schemas) })
    }
}

impl<T: Wire<Owned = T>> Wire for Arc<T> {
    type Form = T::Form;
    type Owned = Self;

    fn form(&self) -> Self::Form {
        T::form(self)
    }

    fn read(form: Self::Form) -> Result<Self, Unreadable> {
        T::read(form).map(Self::new)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        T::schema(schemas)
    }
}

/// What the rules answered: done, or refused and why.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ruled<T, E> {
    Done(T),
    Refused(E),
}

impl<T: Wire<Owned = T>, E: Wire<Owned = E>> Wire for Result<T, E> {
    type Form = Ruled<T::Form, E::Form>;
    type Owned = Self;

    fn form(&self) -> Self::Form {
        match self {
            Ok(done) => Ruled::Done(done.form()),
            Err(refusal) => Ruled::Refused(refusal.form()),
        }
    }

    fn read(form: Self::Form) -> Result<Self, Unreadable> {
        Ok(match form {
            Ruled::Done(done) => Ok(T::read(done)?),
            Ruled::Refused(refusal) => Err(E::read(refusal)?),
        })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let done = object("", vec![("done", T::schema(schemas), String::new())]);
        let refused = object("", vec![("refused", E::schema(schemas), String::new())]);
        json!({ "oneOf": [done, refused] })
    }
}

mirrored! {
    /// An amount in the currency's smallest unit.
    Money as MoneyForm {
        minor: i64,
        currency: Currency,
    }
}

/// A name out of a list that both ends know.
pub(crate) fn known(list: &[&'static str], name: &str) -> Result<&'static str, Unreadable> {
    let found = list.iter().copied().find(|known| *known == name);
    found.ok_or_else(|| Unreadable::new(format!("must be one of {}", list.join(" "))))
}

pub(crate) type Word = Cow<'static, str>;
