//! One endpoint is one entry: its path, its handler, and what the API description says of it. The router and the description
//! are both made from these entries, so that nothing can be served undescribed.

use std::collections::{BTreeMap, BTreeSet};

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
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
            Self::Person | Self::Cashier | Self::InvoiceTerminal | Self::Terminal | Self::Seller | Self::Operator => {
                &[Code::Unauthenticated, Code::WrongRole]
            }
            Self::RecordHolder | Self::Administrator | Self::Merchant | Self::MerchantReader | Self::Anybody => {
                &[Code::Unauthenticated, Code::NotFound]
            }
        }
    }
}

/// Name of the one security scheme.
pub const BEARER: &str = "bearer";

type Schemas = Vec<(String, RefOr<Schema>)>;

pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    pub caller: Caller,
    pub handler: MethodRouter<AppState>,
    pub name: &'static str,
    pub summary: &'static str,
    about: &'static str,
    tag: &'static str,
    body: Option<(&'static str, RefOr<Schema>, Required)>,
    parameters: Vec<Parameter>,
    answers: Vec<(StatusCode, Response)>,
    problems: BTreeSet<Code>,
    schemas: Schemas,
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
        schemas: Vec::new(),
    };
    endpoint.add_path_parameters();
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
    ("choice", Some("cho")),
    ("consent", Some("cns")),
    ("institution", Some("ins")),
    ("key", Some("key")),
    ("member", Some("mem")),
    ("merchant", Some("mer")),
    ("payment", Some("pay")),
    ("person", Some("per")),
    ("problem", None),
    ("profile", Some("prf")),
    ("record", None),
    ("scenario", Some("scn")),
    ("service_code", Some("cod")),
    ("terminal", Some("ter")),
];

impl Endpoint {
    fn add_path_parameters(&mut self) {
        let names = self
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        for name in names {
            let (name, prefix) = PATH_PARAMETERS
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap_or_else(|| panic!("{name} in {} is no known path parameter", self.path));
            let schema = ObjectBuilder::new().schema_type(Type::String);
            let schema = match prefix {
                Some(prefix) => schema.examples([format!("{prefix}_01kb6x2x8s0g00000000000000")]),
                None => schema,
            };
            let parameter = ParameterBuilder::new()
                .name(*name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(schema.build()));
            self.parameters.push(parameter.build());
            self.problems.insert(Code::NotFound);
        }
    }

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

    pub fn takes<B: ToSchema>(mut self) -> Self {
        let schema = self.reference::<B>();
        self.body = Some(("application/json", schema, Required::True));
        self.problems
            .extend([Code::Unreadable, Code::TooLarge, Code::UnsupportedMediaType]);
        self
    }

    /// A body that may be left out.
    pub fn may_take<B: ToSchema>(self) -> Self {
        let mut taking = self.takes::<B>();
        if let Some((_, _, required)) = &mut taking.body {
            *required = Required::False;
        }
        taking
    }

    pub fn takes_csv(mut self) -> Self {
        let schema = ObjectBuilder::new().schema_type(Type::String).build();
        self.body = Some(("text/csv", schema.into(), Required::True));
        self.problems
            .extend([Code::Unreadable, Code::TooLarge, Code::UnsupportedMediaType]);
        self
    }

    pub fn query<Q: IntoParams>(mut self) -> Self {
        self.parameters.extend(Q::into_params(|| Some(ParameterIn::Query)));
        self.refuses(&[Code::Unreadable, Code::InvalidFields])
    }

    /// Takes the header `Idempotency-Key`; a repeat answers like the first time.
    pub fn idempotent(mut self) -> Self {
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
        self.parameters.push(header.build());
        self.refuses(&[
            Code::IdempotencyKeyMissing,
            Code::InvalidHeader,
            Code::IdempotencyKeyConflict,
        ])
    }

    pub fn answers<B: ToSchema>(mut self, status: StatusCode, description: &'static str) -> Self {
        let schema = self.reference::<B>();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", Content::new(Some(schema)));
        self.answers.push((status, response.build()));
        self
    }

    pub fn answers_empty(mut self, description: &'static str) -> Self {
        let response = ResponseBuilder::new().description(description).build();
        self.answers.push((StatusCode::NO_CONTENT, response));
        self
    }

    pub fn refuses(mut self, problems: &[Code]) -> Self {
        self.problems.extend(problems);
        self
    }

    fn reference<B: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((B::name().into_owned(), B::schema()));
        B::schemas(&mut self.schemas);
        RefOr::Ref(Ref::from_schema_name(B::name()))
    }

    pub fn schemas(&self) -> &[(String, RefOr<Schema>)] {
        &self.schemas
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

    /// What the API description says of it.
    pub fn operation(&self) -> OperationBuilder {
        let about = match self.about {
            "" => format!("For {}.", self.caller.words()),
            about => format!("For {}. {about}", self.caller.words()),
        };
        let mut operation = OperationBuilder::new()
            .tag(self.tag)
            .operation_id(Some(self.name))
            .summary(Some(self.summary))
            .description(Some(about));
        for parameter in &self.parameters {
            operation = operation.parameter(parameter.clone());
        }
        if let Some((media_type, schema, required)) = &self.body {
            let body = RequestBodyBuilder::new()
                .content(*media_type, Content::new(Some(schema.clone())))
                .required(Some(required.clone()));
            operation = operation.request_body(Some(body.build()));
        }
        for (status, response) in &self.answers {
            operation = operation.response(status.as_str(), response.clone());
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
