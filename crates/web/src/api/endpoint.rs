//! One endpoint is one entry: its path, its handler, and what the API description says of it. The router and the description
//! are both made from these entries, so that nothing can be served undescribed.

use std::collections::{BTreeMap, BTreeSet};

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, HttpMethod, Ref, RefOr, Required, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::AppState;
use crate::problem::{Code, ProblemBody};

/// Whose credential an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// No credential.
    Nobody,
    /// None, or the operator's where the server asks for it.
    NobodyOrOperator,
    Person,
    Cashier,
    InvoiceTerminal,
    /// A gate of a ride provider.
    Gate,
    Terminal,
    /// A cashier terminal or a merchant's key.
    Seller,
    Operator,
    /// The person whose code record it is, or who administers its institution.
    RecordHolder,
    /// Of the institution in the path, or of one above it; or its key; or the operator.
    Administrator,
    /// A key of the merchant in the path, or the operator.
    Merchant,
    /// [`Self::Merchant`], or one of the merchant's terminals.
    MerchantReader,
    /// Any credential; what is not the caller's is not found.
    Anybody,
}

impl Caller {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nobody => "nobody in particular",
            Self::NobodyOrOperator => "anybody where registration is open, else the operator",
            Self::Person => "a signed-in person",
            Self::Cashier => "a cashier terminal",
            Self::InvoiceTerminal => "an invoice terminal",
            Self::Gate => "a gate",
            Self::Terminal => "a terminal",
            Self::Seller => "a cashier terminal or a key of the merchant",
            Self::Operator => "the operator",
            Self::RecordHolder => "the person whose record it is, or an administrator or key of its institution",
            Self::Administrator => "an administrator or key of the institution or of one above it, or the operator",
            Self::Merchant => "a key of the merchant, or the operator",
            Self::MerchantReader => "a key or terminal of the merchant, or the operator",
            Self::Anybody => "whoever it belongs to",
        }
    }

    fn problems(self) -> &'static [Code] {
        match self {
            Self::Nobody => &[],
            Self::NobodyOrOperator => &[Code::Unauthenticated],
            Self::Person
            | Self::Cashier
            | Self::InvoiceTerminal
            | Self::Gate
            | Self::Terminal
            | Self::Seller
            | Self::Operator => &[Code::Unauthenticated, Code::WrongRole],
            Self::RecordHolder | Self::Administrator | Self::Merchant | Self::MerchantReader | Self::Anybody => {
                &[Code::Unauthenticated, Code::NotFound]
            }
        }
    }
}

/// Name of the one security scheme.
pub const BEARER: &str = "bearer";

/// Named schemas of a description.
pub type Schemas = Vec<(String, RefOr<Schema>)>;
/// Writes a schema with those it names. A description is made when somebody asks for it: it takes much more memory than a
/// server that waits.
type SchemaOf = fn(&mut Schemas) -> RefOr<Schema>;

pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    pub caller: Caller,
    pub handler: MethodRouter<AppState>,
    pub name: &'static str,
    pub summary: &'static str,
    about: &'static str,
    tag: &'static str,
    body: Option<(&'static str, SchemaOf, Required)>,
    parameters: Vec<fn() -> Vec<Parameter>>,
    answers: Vec<Answer>,
    problems: BTreeSet<Code>,
}

struct Answer {
    status: StatusCode,
    description: &'static str,
    /// Its media type and schema; `None`: it has no body.
    body: Option<(&'static str, SchemaOf)>,
}

fn endpoint<H, T>(method: Method, path: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, AppState>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("only methods with a filter are used");
    let mut endpoint = Endpoint {
        method,
        path,
        caller: Caller::Nobody,
        handler: on(filter, handler),
        name: "",
        summary: "",
        about: "",
        tag: "",
        body: None,
        parameters: Vec::new(),
        answers: Vec::new(),
        problems: BTreeSet::from([Code::Internal]),
    };
    if !path_parameters(path).is_empty() {
        endpoint.problems.insert(Code::NotFound);
    }
    endpoint
}

macro_rules! methods {
    ($($name:ident = $method:ident;)*) => {$(
        pub fn $name<H, T>(path: &'static str, handler: H) -> Endpoint
        where
            H: Handler<T, AppState>,
            T: 'static,
        {
            endpoint(Method::$method, path, handler)
        }
    )*};
}

methods! {
    get = GET;
    post = POST;
    put = PUT;
    patch = PATCH;
    delete = DELETE;
}

/// Names of path parameters, with the prefix of the ids that stand there; none: any text.
const PATH_PARAMETERS: &[(&str, Option<&str>)] = &[
    ("account", Some("acc")),
    ("application", Some("app")),
    ("bill", Some("bil")),
    ("choice", Some("cho")),
    ("consent", Some("cns")),
    ("delivery", Some("dlv")),
    ("feed", Some("fed")),
    ("institution", Some("ins")),
    ("invoice", Some("inv")),
    ("key", Some("key")),
    ("member", Some("mem")),
    ("merchant", Some("mer")),
    ("payment", Some("pay")),
    ("person", Some("per")),
    ("problem", None),
    ("profile", Some("prf")),
    ("record", None),
    ("ride", Some("rid")),
    ("ride_device", Some("rdv")),
    ("scenario", Some("scn")),
    ("service_code", Some("cod")),
    ("terminal", Some("ter")),
    ("travel_type", Some("tvt")),
];

/// Names of the parameters in a path, with the prefix of their ids.
fn path_parameters(path: &'static str) -> Vec<(&'static str, Option<&'static str>)> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let known = names.map(|name| {
        let row = PATH_PARAMETERS.iter().find(|(known, _)| *known == name);
        *row.unwrap_or_else(|| panic!("{name} in {path} is no known path parameter"))
    });
    known.collect()
}

fn path_parameter(name: &str, prefix: Option<&str>) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    let schema = match prefix {
        Some(prefix) => schema.examples([format!("{prefix}_01kb6x2x8s0g00000000000000")]),
        None => schema,
    };
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema.build()));
    parameter.build()
}

fn query_parameters<Q: IntoParams>() -> Vec<Parameter> {
    Q::into_params(|| Some(ParameterIn::Query))
}

fn idempotency_key() -> Vec<Parameter> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"));
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(
            "New for each intent, the same for each repeat of it. A repeat answers as the first time, with the header \
             Idempotent-Replayed: true.",
        ))
        .schema(Some(schema.build()));
    vec![header.build()]
}

fn reference<B: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    schemas.push((B::name().into_owned(), B::schema()));
    B::schemas(schemas);
    RefOr::Ref(Ref::from_schema_name(B::name()))
}

fn text(_: &mut Schemas) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).build().into()
}

fn binary(_: &mut Schemas) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .build()
        .into()
}

impl Endpoint {
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// `name`: unique over all endpoints; generated clients call the method so.
    pub fn says(mut self, name: &'static str, summary: &'static str) -> Self {
        (self.name, self.summary) = (name, summary);
        self
    }

    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self.problems.extend(caller.problems());
        self.behind_services()
    }

    /// The services behind it may be busy, away, or slow.
    fn behind_services(mut self) -> Self {
        let late = if self.method.is_safe() {
            Code::TimedOut
        } else {
            Code::OutcomeUnknown
        };
        self.problems.extend([Code::Busy, Code::Unavailable, late]);
        self
    }

    pub fn takes<B: ToSchema>(self) -> Self {
        self.with_body("application/json", reference::<B>)
    }

    /// A body that may be left out.
    pub fn may_take<B: ToSchema>(self) -> Self {
        let mut taking = self.takes::<B>();
        if let Some((_, _, required)) = &mut taking.body {
            *required = Required::False;
        }
        taking
    }

    pub fn takes_csv(self) -> Self {
        self.with_body("text/csv", text)
    }

    /// The bytes of a file, whatever it is.
    pub fn takes_file(self) -> Self {
        self.with_body("application/octet-stream", text)
    }

    fn with_body(mut self, media_type: &'static str, schema: SchemaOf) -> Self {
        self.body = Some((media_type, schema, Required::True));
        self.refuses(&[Code::Unreadable, Code::TooLarge, Code::UnsupportedMediaType])
    }

    pub fn query<Q: IntoParams>(mut self) -> Self {
        self.parameters.push(query_parameters::<Q>);
        self.refuses(&[Code::Unreadable, Code::InvalidFields])
    }

    /// Takes the header `Idempotency-Key`; a repeat answers like the first time.
    pub fn idempotent(mut self) -> Self {
        self.parameters.push(idempotency_key);
        self.refuses(&[
            Code::IdempotencyKeyMissing,
            Code::InvalidHeader,
            Code::IdempotencyKeyConflict,
        ])
    }

    pub fn answers<B: ToSchema>(self, status: StatusCode, description: &'static str) -> Self {
        self.with_answer(status, description, Some(("application/json", reference::<B>)))
    }

    /// Bytes of a file.
    pub fn answers_file(self, media_type: &'static str, description: &'static str) -> Self {
        self.with_answer(StatusCode::OK, description, Some((media_type, binary)))
    }

    pub fn answers_empty(self, description: &'static str) -> Self {
        self.with_answer(StatusCode::NO_CONTENT, description, None)
    }

    fn with_answer(
        mut self,
        status: StatusCode,
        description: &'static str,
        body: Option<(&'static str, SchemaOf)>,
    ) -> Self {
        self.answers.push(Answer {
            status,
            description,
            body,
        });
        self
    }

    pub fn refuses(mut self, problems: &[Code]) -> Self {
        self.problems.extend(problems);
        self
    }

    pub fn http_method(&self) -> HttpMethod {
        match self.method {
            Method::POST => HttpMethod::Post,
            Method::PUT => HttpMethod::Put,
            Method::PATCH => HttpMethod::Patch,
            Method::DELETE => HttpMethod::Delete,
            _ => HttpMethod::Get,
        }
    }

    /// What the API description says of it; what it names goes to `schemas`.
    pub fn operation(&self, schemas: &mut Schemas) -> OperationBuilder {
        let about = match self.about {
            "" => format!("For {}.", self.caller.words()),
            about => format!("For {}. {about}", self.caller.words()),
        };
        let mut operation = OperationBuilder::new()
            .tag(self.tag)
            .operation_id(Some(self.name))
            .summary(Some(self.summary))
            .description(Some(about));
        let in_path = path_parameters(self.path).into_iter();
        let in_path = in_path.map(|(name, prefix)| path_parameter(name, prefix));
        let others = self.parameters.iter().flat_map(|parameters| parameters());
        for parameter in in_path.chain(others) {
            operation = operation.parameter(parameter);
        }
        if let Some((media_type, schema, required)) = &self.body {
            let body = RequestBodyBuilder::new()
                .content(*media_type, Content::new(Some(schema(schemas))))
                .required(Some(required.clone()));
            operation = operation.request_body(Some(body.build()));
        }
        for answer in &self.answers {
            let response = ResponseBuilder::new().description(answer.description);
            let response = match answer.body {
                Some((media_type, schema)) => response.content(media_type, Content::new(Some(schema(schemas)))),
                None => response,
            };
            operation = operation.response(answer.status.as_str(), response.build());
        }
        for (status, description) in self.refusals() {
            let schema = RefOr::Ref(Ref::from_schema_name(ProblemBody::name()));
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", Content::new(Some::<RefOr<Schema>>(schema)));
            operation = operation.response(status, response.build());
        }
        match self.caller {
            Caller::Nobody => operation.securities(Some([])),
            Caller::NobodyOrOperator => operation.securities(Some([
                SecurityRequirement::default(),
                SecurityRequirement::new(BEARER, [""; 0]),
            ])),
            _ => operation.security(SecurityRequirement::new(BEARER, [""; 0])),
        }
    }

    /// Status codes with the problems behind each.
    fn refusals(&self) -> BTreeMap<String, String> {
        let mut refusals: BTreeMap<String, String> = BTreeMap::new();
        for code in &self.problems {
            let row = code.row();
            let text = refusals.entry(row.status.as_str().to_owned()).or_default();
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(&format!("`{}`: {}", row.name, row.title));
        }
        refusals
    }
}
