//! Expressions of policies, in the Common Expression Language. Row R06.
//!
//! An expression is a condition over the facts of an order ([`FACTS`]): comparisons, arithmetic, `&&`, `||`, `!`, `? :`, `in`,
//! and the functions of [`FUNCTIONS`]. There are no macros and so no loops: an expression is worked out in time that grows with
//! its length alone, which is bounded. What the order does not say has no value; where the outcome depends on it there is none
//! either, and that is no permission.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use cel::common::ast::{Expr, LiteralValue, operators};
use cel::common::types::{CelBool, CelInt, CelList, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, IdedExpr, Program, Value};
use onescan_domain::policy::{ExpressionError, ExpressionFault, Expressions, FACTS, Fact, FactValue, PolicyInput};

/// What may be called besides operators.
pub const FUNCTIONS: [&str; 4] = ["size", "startsWith", "endsWith", "contains"];

const OPERATORS: [&str; 16] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
];

/// Operators whose outcome is true or false.
const TRUTHS: [&str; 9] = [
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
];

/// Brackets and choices inside each other, and calls: reading and working out call themselves for each.
const DEPTH_MAX: usize = 24;
/// For reading alone: the language's reader takes many frames for each bracket.
const READER_STACK: usize = 32 << 20;
/// Compiled expressions that are kept.
const KEPT_MAX: usize = 1_000;

/// Reads and works out every expression of this process.
pub fn cel() -> &'static dyn Expressions {
    static CEL: LazyLock<Cel> = LazyLock::new(Cel::new);
    &*CEL
}

struct Cel {
    env: Arc<Env>,
    compiled: RwLock<HashMap<Box<str>, Arc<Compiled>>>,
}

impl std::fmt::Debug for Cel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cel").finish_non_exhaustive()
    }
}

struct Compiled {
    program: Result<Program, ExpressionError>,
    facts: Arc<[Fact]>,
}

impl Cel {
    fn new() -> Self {
        // Without macros, which would be loops, and without optional values.
        let env = Env::default().with_optional_support(false).with_stdlib();
        Self {
            env: Arc::new(env),
            compiled: RwLock::default(),
        }
    }

    fn compiled(&self, expression: &str) -> Arc<Compiled> {
        let known = {
            let compiled = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
            compiled.get(expression).cloned()
        };
        if let Some(known) = known {
            return known;
        }
        let fresh = Arc::new(self.compile(expression));
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= KEPT_MAX {
            compiled.clear();
        }
        compiled.insert(expression.into(), fresh.clone());
        fresh
    }

    fn compile(&self, expression: &str) -> Compiled {
        let program = std::thread::scope(|scope| {
            let reader = std::thread::Builder::new().stack_size(READER_STACK);
            let reading = reader.spawn_scoped(scope, || self.read(expression));
            let read = reading.ok().and_then(|reading| reading.join().ok());
            read.unwrap_or_else(|| {
                let why = "cannot be read here".to_owned();
                Err(ExpressionError { column: 1, why })
            })
        });
        let mut facts = Vec::new();
        if let Ok(program) = &program {
            facts.extend(program.references().variables().into_iter().filter_map(Fact::parse));
            facts.sort_unstable();
        }
        let facts = facts.into();
        Compiled { program, facts }
    }

    fn read(&self, expression: &str) -> Result<Program, ExpressionError> {
        depth(expression)?;
        let program = self.env.compile(expression).map_err(|errors| {
            let first = errors.errors.into_iter().next();
            let (column, why) = first.map_or((1, "cannot be read".to_owned()), |error| (error.pos.1, error.msg));
            let column = usize::try_from(column).unwrap_or_default().max(1);
            ExpressionError { column, why }
        })?;
        allowed(program.expression(), &program, 0)?;
        if !is_truth(program.expression()) {
            let why = "it does not end in true or false".to_owned();
            return Err(ExpressionError { column: 1, why });
        }
        Ok(program)
    }
}

/// Refuses what is nested deeper than [`DEPTH_MAX`], by its brackets and question marks outside of texts.
fn depth(expression: &str) -> Result<(), ExpressionError> {
    let (mut open, mut choices, mut quote, mut escaped) = (0_usize, 0_usize, None, false);
    for (place, letter) in expression.chars().enumerate() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(mark), letter) if letter == mark => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => open = open.saturating_sub(1),
            (None, '?') => choices += 1,
            (None, _) => {}
        }
        if open > DEPTH_MAX || choices > DEPTH_MAX {
            return Err(ExpressionError {
                column: place + 1,
                why: format!("at most {DEPTH_MAX} brackets or choices stand inside each other"),
            });
        }
    }
    Ok(())
}

/// Whether everything below `node` is a known name, a value, or something that may be called, and nothing is too deep.
fn allowed(node: &IdedExpr, program: &Program, depth: usize) -> Result<(), ExpressionError> {
    let refuse = |why: String| {
        let info = program.source_info();
        let byte = info.offset_for(node.id).map_or(0, |(start, _)| start as usize);
        let before = info.source.get(..byte).unwrap_or_default();
        Err(ExpressionError {
            column: before.chars().count() + 1,
            why,
        })
    };
    if depth > DEPTH_MAX {
        return refuse(format!("at most {DEPTH_MAX} operators stand inside each other"));
    }
    match &node.expr {
        Expr::Literal(LiteralValue::Bytes(_)) => refuse("bytes are no value of a fact".to_owned()),
        Expr::Literal(_) => Ok(()),
        Expr::Ident(name) => match Fact::parse(name) {
            Some(_) => Ok(()),
            None => refuse(format!("there is no fact {name:?}; known are {}", names())),
        },
        Expr::List(list) => list
            .elements
            .iter()
            .try_for_each(|element| allowed(element, program, depth + 1)),
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if name != operators::IN && !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
                let known = FUNCTIONS.join(", ");
                return refuse(format!("{name:?} cannot be called; only {known} can"));
            }
            let target = call.target.iter().map(|target| &**target);
            target
                .chain(&call.args)
                .try_for_each(|part| allowed(part, program, depth + 1))
        }
        Expr::Select(select) => refuse(format!("facts have no parts, such as {:?}", select.field)),
        Expr::Unspecified | Expr::Comprehension(_) | Expr::Map(_) | Expr::Struct(_) => {
            refuse("only names, numbers, texts, lists, operators and calls can stand here".to_owned())
        }
    }
}

/// Whether it can come to nothing but true or false.
fn is_truth(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(value) => matches!(value, LiteralValue::Boolean(_)),
        Expr::Call(call) => match call.func_name.as_str() {
            operators::CONDITIONAL => call.args.iter().skip(1).all(is_truth),
            operators::IN | "startsWith" | "endsWith" | "contains" => true,
            name => TRUTHS.contains(&name),
        },
        Expr::Unspecified
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_) => false,
    }
}

fn names() -> String {
    FACTS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// The facts of one order, each looked up when the expression comes to it.
struct Order<'o>(&'o PolicyInput<'o>);

impl VariableResolver for Order<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value = Fact::parse(variable)?.of(self.0)?;
        Some(match value {
            FactValue::Number(number) => CowVal::owned(CelInt::from(number)),
            FactValue::Text(std::borrow::Cow::Borrowed(word)) => CowVal::owned(CelString::from(word)),
            FactValue::Text(std::borrow::Cow::Owned(word)) => CowVal::owned(CelString::from(word)),
            FactValue::List(words) => {
                let words = words
                    .iter()
                    .map(|word| Box::new(CelString::from(*word)) as Box<dyn Val + 'b>);
                CowVal::owned(CelList::from(words.collect::<Vec<_>>()))
            }
        })
    }
}

impl Expressions for Cel {
    fn check(&self, expression: &str) -> Result<(), ExpressionError> {
        match &self.compiled(expression).program {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        }
    }

    fn facts(&self, expression: &str) -> Arc<[Fact]> {
        self.compiled(expression).facts.clone()
    }

    fn holds(&self, expression: &str, input: &PolicyInput<'_>) -> Result<bool, ExpressionFault> {
        let compiled = self.compiled(expression);
        let program = compiled.program.as_ref().map_err(|_| ExpressionFault::Syntax)?;
        let order = Order(input);
        let mut context = Context::with_env(self.env.clone());
        context.set_variable_resolver(&order);
        match Value::resolve_val(program.expression(), &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(truth) => Ok(bool::from(*truth)),
                None => Err(ExpressionFault::NotBoolean),
            },
            Err(ExecutionError::UndeclaredReference(_)) => Err(ExpressionFault::Missing),
            Err(_) => Err(ExpressionFault::Failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use onescan_domain::calendar::LocalTime;
    use onescan_domain::money::{Currency, Money};
    use onescan_domain::policy::{Decision, MemberFacts, Named, Place, Policy, PolicyError, RideFacts};

    use super::*;

    /// Wednesday, 08:15, from Haga by line 3, 12.50; it is not told where to, nor with how many.
    fn ride() -> PolicyInput<'static> {
        let local = LocalTime {
            day: 20_782,
            month: 682,
            minute: 8 * 60 + 15,
        };
        PolicyInput {
            ride: RideFacts {
                travel_type: "taxi",
                line: Named {
                    id: "M3",
                    name: "Harbour Line",
                },
                start: Place {
                    city: "Haga",
                    ..Place::default()
                },
                distance_m: Some(7_400),
                ..RideFacts::default()
            },
            member: MemberFacts {
                labels: Some(&["driver", "night"]),
                ..MemberFacts::default()
            },
            expressions: Some(cel()),
            ..PolicyInput::new(Money::new(1_250, Currency::EUR), local)
        }
    }

    fn check(expression: &str, expected: &str) {
        let input = ride();
        let text = match cel().check(expression) {
            Err(error) => format!("column {}", error.column),
            Ok(()) => match cel().holds(expression, &input) {
                Ok(truth) => truth.to_string(),
                Err(fault) => fault.name().to_owned(),
            },
        };
        assert_eq!(text, expected, "{expression}: {:?}", cel().check(expression));
    }

    #[test]
    fn expressions_see_the_facts_and_unknown_is_no_permission() {
        for (expression, expected) in [
            ("amount <= 1250", "true"),
            ("amount * 2 > 2500 || city == 'Haga'", "true"),
            ("currency == \"EUR\" && weekday == \"wed\" && clock < \"09:00\"", "true"),
            ("line == \"Harbour Line\" && line_id == \"M3\"", "true"),
            ("\"driver\" in labels && !(\"intern\" in labels)", "true"),
            ("size(labels) == 2 && city.startsWith(\"Ha\")", "true"),
            ("travel_type in [\"metro\", \"bus\"]", "false"),
            ("distance > 5000 ? amount <= 2000 : amount <= 1000", "true"),
            ("true", "true"),
            // What the order does not say.
            ("companions <= 3", "missing"),
            ("!(companions > 3)", "missing"),
            ("end_city == \"Paris\" && amount <= 1250", "missing"),
            ("end_city != \"Paris\"", "missing"),
            // The outcome does not depend on it.
            ("companions <= 3 || amount <= 1250", "true"),
            ("companions <= 3 && amount > 1250", "false"),
            ("amount < \"x\"", "failed"),
            ("amount / (amount - 1250) > 1", "failed"),
            ("9223372036854775807 + amount > 0", "failed"),
        ] {
            check(expression, expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_place() {
        for (expression, expected) in [
            ("amuont <= 5", "column 1"),
            ("amount <= 5 && citi == \"Haga\"", "column 16"),
            ("amount", "column 1"),
            ("amount + 1", "column 1"),
            ("labels.exists(label, label == \"driver\")", "column 14"),
            ("[1, 2].all(x, x > 0)", "column 11"),
            ("[1].map(x, x) == [1]", "column 8"),
            ("has(city.name)", "column 4"),
            ("city.matches(\"(a+)+$\")", "column 13"),
            ("city.name == \"x\"", "column 5"),
            ("{\"a\": amount} == {}", "column 1"),
            ("b\"x\" == b\"y\"", "column 1"),
        ] {
            let Err(error) = cel().check(expression) else {
                panic!("{expression} is taken");
            };
            println!("{expression}: {error:?}");
            assert_eq!(format!("column {}", error.column), expected, "{expression}: {error:?}");
        }
        for expression in [
            "",
            "amount <=",
            "amount <= 5 &&",
            "(amount",
            "\"",
            "amount <= 5)",
            "if",
            "a b",
        ] {
            assert!(cel().check(expression).is_err(), "{expression}");
        }
    }

    /// On a thread with the stack of a server's worker.
    #[test]
    fn deep_and_long_ones_neither_break_the_reader_nor_take_long() {
        let deep = [
            "(".repeat(250) + &")".repeat(250),
            format!("{}amount <= 1{}", "(".repeat(20), ")".repeat(20)),
            "[".repeat(240) + &"]".repeat(240),
            "!".repeat(480) + "true",
            "-".repeat(480) + "1 < 0",
            "true ? ".repeat(70),
            format!("{}true", "true ? true : ".repeat(18)),
            format!("amount < 0{}", " || amount < 0".repeat(34)),
            format!("amount == 1{}", "+1".repeat(240)),
            format!("amount > 1{}", " + 1".repeat(20)),
            format!("city{} == city", " + city".repeat(70)),
            "a.b".to_owned() + &".b".repeat(240),
        ];
        let worker = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
            let input = ride();
            for expression in deep {
                // Whatever comes of it, it ends.
                let _ = cel().check(&expression).map(|()| cel().holds(&expression, &input));
            }
        });
        worker.unwrap().join().unwrap();
    }

    #[test]
    fn a_policy_tells_what_its_expression_saw_and_where_it_is_wrong() {
        let decide = |rules: &str| -> Decision { Policy::parse_new(rules, cel()).unwrap().decide(&ride()) };
        let told = |decision: &Decision| {
            let reason = &decision.trace[0];
            reason.seen.as_ref().map(|seen| seen.text(reason.dimension()))
        };
        let held = decide("expression holds amount <= 1250 && city == \"Haga\"");
        assert!(held.allowed());
        assert_eq!(told(&held).unwrap(), "true; amount = 1250, city = \"Haga\"");
        let unknown = decide("expression holds companions <= 3");
        assert!(!unknown.allowed());
        assert_eq!(told(&unknown).unwrap(), "fault: missing; companions = ?");
        let listed = decide("not\n  expression holds \"driver\" in labels");
        assert_eq!(told(&listed).unwrap(), "true; labels = [\"driver\", \"night\"]");
        let error = Policy::parse_new("amount <= 5\nany of\n  expression holds citi == \"x\"", cel());
        let Err(PolicyError::Expression { line, column, why }) = error else {
            panic!("{error:?}");
        };
        assert_eq!((line, column), (3, 20));
        assert!(why.contains("citi"), "{why}");
    }
}
