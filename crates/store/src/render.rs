//! Turns a statement's text into each engine's form. Pure text work, done once per statement.
//!
//! The *set* form runs one statement for many parameter sets: the sets arrive as one array per
//! parameter and become the rows of `given`, numbered by `given_ord`.

use std::fmt::Write as _;

use crate::recall;
use crate::sql::Value;

/// What a mark accepts; null is accepted by all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    Bytes,
}

impl Kind {
    pub(crate) fn accepts(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (_, Value::Null)
                | (Self::Int, Value::Int(_))
                | (Self::Text, Value::Text(_))
                | (Self::Bytes, Value::Bytes(_))
        )
    }

    fn postgres(self) -> &'static str {
        match self {
            Self::Int => "bigint",
            Self::Text => "text",
            Self::Bytes => "bytea",
        }
    }
}

/// One named parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub name: String,
    pub kind: Kind,
}

/// How the rows of a set statement find their parameter set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetRows {
    /// The first column is the number of the set, from 1.
    Numbered,
    /// Rows come in the order of the sets. With pairs `(column, parameter)` some may be missing, and a
    /// row belongs to the next set that is equal to it in all pairs; without pairs none is missing.
    InOrder(Vec<(usize, usize)>),
}

/// One statement for many parameter sets, on PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetForm {
    pub sql: String,
    pub rows: SetRows,
}

/// A statement in all its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forms {
    pub marks: Vec<Mark>,
    pub sqlite: String,
    pub postgres: String,
    /// None where no single statement can do it; the sets are then sent one by one without waiting
    /// between them. That is so with `with`, without marks, with marks after `on conflict` (write
    /// `excluded.column` there), with `returning` after `on conflict` unless a conflict target is named
    /// and returned, and with `returning` after `insert … select`.
    pub set: Option<SetForm>,
    /// The parameters that pick the row a set changes.
    pub(crate) changed_row_key: Option<Vec<usize>>,
    /// Whether it changes a table whose rows are kept in memory.
    pub(crate) changes_kept: bool,
}

/// Stand around a mark's number inside a template. Control characters cannot occur in our SQL.
const MARK_START: char = '\u{1}';
const MARK_END: char = '\u{2}';

/// Renders all forms, or says what is wrong with the text.
pub(crate) fn render(sql: &str) -> Result<Forms, String> {
    let (template, lock) = split_lock(sql.trim())?;
    let (template, marks) = read_marks(template)?;
    let locked = format!("{template}{lock}");
    let postgres = fill(&locked, |index| {
        format!("${}::{}", index + 1, marks[index].kind.postgres())
    });
    let set = set_form(&template, lock, &marks);
    Ok(Forms {
        sqlite: fill(&template, |index| format!("?{}", index + 1)),
        postgres,
        changed_row_key: set.as_ref().and_then(|_| changed_row_key(&template)),
        changes_kept: changed_table(&template).is_some_and(recall::is_kept),
        set,
        marks,
    })
}

fn changed_table(template: &str) -> Option<&str> {
    let heads = ["insert into ", "update ", "delete from "];
    let rest = heads.iter().find_map(|head| template.strip_prefix(head))?;
    rest.split([' ', '(']).next()
}

fn split_lock(sql: &str) -> Result<(&str, &'static str), String> {
    const LOCKS: [(&str, &str); 2] = [
        ("{for update}", " for update"),
        ("{for update skip locked}", " for update skip locked"),
    ];
    for (written, lock) in LOCKS {
        if let Some(rest) = sql.strip_suffix(written) {
            return Ok((rest.trim_end(), lock));
        }
    }
    if sql.contains('{') {
        return Err("only {for update} or {for update skip locked} may stand in braces, at the end".into());
    }
    Ok((sql, ""))
}

/// Folds white space outside quotes and replaces each mark by its number between the mark signs.
fn read_marks(sql: &str) -> Result<(String, Vec<Mark>), String> {
    let mut template = String::with_capacity(sql.len());
    let mut marks: Vec<Mark> = Vec::new();
    let mut quote = None;
    let mut rest = sql;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ':') => {
                let (mark, after) = read_mark(rest)?;
                rest = after;
                let index = mark_index(&mut marks, mark)?;
                let _ = write!(template, "{MARK_START}{index}{MARK_END}");
                continue;
            }
            (None, _) if character.is_whitespace() => {
                if !template.ends_with(' ') {
                    template.push(' ');
                }
                continue;
            }
            _ => {}
        }
        template.push(character);
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    Ok((template, marks))
}

fn read_mark(after_colon: &str) -> Result<(Mark, &str), String> {
    let length = after_colon
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after_colon.len());
    let (name, rest) = after_colon.split_at(length);
    if name.is_empty() {
        return Err("a colon without a name; casts other than of marks are written cast(…)".into());
    }
    let (kind, rest) = match rest.strip_prefix("::") {
        None => (Kind::Int, rest),
        Some(cast) => {
            if let Some(rest) = cast.strip_prefix("text") {
                (Kind::Text, rest)
            } else if let Some(rest) = cast.strip_prefix("bytea") {
                (Kind::Bytes, rest)
            } else {
                return Err(format!("mark {name} has a kind other than text or bytea"));
            }
        }
    };
    let name = name.to_owned();
    Ok((Mark { name, kind }, rest))
}

fn mark_index(marks: &mut Vec<Mark>, mark: Mark) -> Result<usize, String> {
    match marks.iter().position(|known| known.name == mark.name) {
        Some(index) if marks[index].kind == mark.kind => Ok(index),
        Some(_) => Err(format!("mark {} has two kinds", mark.name)),
        None => {
            marks.push(mark);
            Ok(marks.len() - 1)
        }
    }
}

/// Replaces the numbered marks of a template.
fn fill(template: &str, mut text_for: impl FnMut(usize) -> String) -> String {
    let mut parts = template.split(MARK_START);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (index, rest) = part.split_once(MARK_END).expect("each mark is closed");
        filled.push_str(&text_for(index.parse().expect("a mark holds its number")));
        filled.push_str(rest);
    }
    filled
}

fn fill_given(template: &str) -> String {
    fill(template, |index| format!("given.given_{}", index + 1))
}

fn has_mark(template: &str) -> bool {
    template.contains(MARK_START)
}

/// Where `keyword` (with its blanks) stands outside quotes and parentheses.
fn find_top_level(template: &str, keyword: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, character) in template.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 && template[at..].starts_with(keyword) => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// Splits the text before `keyword` from the text that starts with it.
fn split_top_level<'t>(template: &'t str, keyword: &str) -> Option<(&'t str, &'t str)> {
    find_top_level(template, keyword).map(|at| template.split_at(at))
}

/// The source of all set forms: one array per parameter.
fn given(marks: &[Mark]) -> String {
    let list = |text: &dyn Fn(usize, &Mark) -> String| {
        let texts: Vec<String> = marks.iter().enumerate().map(|(i, m)| text(i, m)).collect();
        texts.join(", ")
    };
    let arrays = list(&|index, mark| format!("${}::{}[]", index + 1, mark.kind.postgres()));
    let names = list(&|index, _| format!("given_{}", index + 1));
    format!("unnest({arrays}) with ordinality as given({names}, given_ord)")
}

fn set_form(template: &str, lock: &str, marks: &[Mark]) -> Option<SetForm> {
    if marks.is_empty() {
        return None;
    }
    let given = given(marks);
    match template.split(' ').next()? {
        "select" => Some(set_select(template, lock, &given)),
        "insert" => set_insert(template, &given),
        "update" => set_update(template, &given),
        "delete" => set_delete(template, &given),
        _ => None,
    }
}

/// The lateral select runs once per set in the order of the sets, so rows are locked in that order.
fn set_select(template: &str, lock: &str, given: &str) -> SetForm {
    let select = fill_given(template);
    SetForm {
        sql: format!("select given.given_ord, found.* from {given} cross join lateral ({select}{lock}) as found"),
        rows: SetRows::Numbered,
    }
}

fn set_insert(template: &str, given: &str) -> Option<SetForm> {
    let (body, tail) = split_top_level(template, " on conflict ")
        .or_else(|| split_top_level(template, " returning "))
        .unwrap_or((template, ""));
    if has_mark(tail) {
        return None;
    }
    if let Some((head, select)) = split_top_level(body, " select ") {
        if find_top_level(tail, " returning ").is_some() {
            return None;
        }
        let select = fill_given(select.trim_start());
        return Some(SetForm {
            sql: format!("{head} select found.* from {given} cross join lateral ({select}) as found{tail}"),
            rows: SetRows::InOrder(Vec::new()),
        });
    }
    let (head, values) = split_top_level(body, " values ")?;
    let values = values.strip_prefix(" values (")?.strip_suffix(')')?;
    let expressions = split_list(values)?;
    let rows = SetRows::InOrder(set_of_row(head, &expressions, tail)?);
    let values = fill_given(values);
    Some(SetForm {
        sql: format!("{head} select {values} from {given}{tail}"),
        rows,
    })
}

fn set_update(template: &str, given: &str) -> Option<SetForm> {
    let (head, tail) = split_top_level(template, " where ")?;
    let head = match split_top_level(head, " from ") {
        Some((set, from)) => format!("{set} from {given}, {}", &from[" from ".len()..]),
        None => format!("{head} from {given}"),
    };
    Some(numbered_change(&head, tail))
}

fn set_delete(template: &str, given: &str) -> Option<SetForm> {
    let (head, tail) = split_top_level(template, " where ")?;
    Some(numbered_change(&format!("{head} using {given}"), tail))
}

fn numbered_change(head: &str, tail: &str) -> SetForm {
    let tail = match split_top_level(tail, " returning ") {
        Some((condition, returning)) => {
            let columns = &returning[" returning ".len()..];
            format!("{condition} returning given.given_ord, {columns}")
        }
        None => tail.to_owned(),
    };
    SetForm {
        sql: fill_given(&format!("{head}{tail}")),
        rows: SetRows::Numbered,
    }
}

/// Splits at commas outside parentheses and quotes; None when a second tuple follows.
fn split_list(list: &str) -> Option<Vec<&str>> {
    let mut items = Vec::new();
    let mut rest = list;
    while let Some((item, after)) = split_top_level(rest, ",") {
        items.push(item.trim());
        rest = &after[1..];
    }
    items.push(rest.trim());
    let mut depth = 0_i32;
    for character in list.chars() {
        depth += i32::from(character == '(') - i32::from(character == ')');
        if depth < 0 {
            return None;
        }
    }
    Some(items)
}

/// The pairs `(returned column, parameter)` that tell a returned row's set: those of the conflict
/// target. Without a conflict none is needed, because every set then returns its row.
fn set_of_row(head: &str, expressions: &[&str], tail: &str) -> Option<Vec<(usize, usize)>> {
    let (Some(conflict), Some((_, returning))) =
        (tail.strip_prefix(" on conflict "), split_top_level(tail, " returning "))
    else {
        return Some(Vec::new());
    };
    let returned = split_list(&returning[" returning ".len()..])?;
    let key = key_parameters(head, expressions, conflict)?;
    key.into_iter()
        .map(|(name, parameter)| {
            let column = returned.iter().position(|column| *column == name)?;
            Some((column, parameter))
        })
        .collect()
}

/// The columns of the conflict target with their parameters; None when a column has no bare parameter.
fn key_parameters<'t>(head: &str, expressions: &[&str], conflict: &'t str) -> Option<Vec<(&'t str, usize)>> {
    let target = conflict.strip_prefix('(')?.split(')').next()?;
    let columns = head.split_once('(')?.1.trim_end().strip_suffix(')')?;
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    let parameter_of = |name: &'t str| {
        let position = columns.iter().position(|column| *column == name)?;
        Some((name, bare_mark(expressions.get(position)?)?))
    };
    target.split(',').map(str::trim).map(parameter_of).collect()
}

fn bare_mark(expression: &str) -> Option<usize> {
    expression
        .strip_prefix(MARK_START)?
        .strip_suffix(MARK_END)?
        .parse()
        .ok()
}

/// The marks of `column = :mark` conditions of an `update` or `delete`, or those of the conflict target
/// of an `insert … do update`.
fn changed_row_key(template: &str) -> Option<Vec<usize>> {
    if let Some((body, tail)) = split_top_level(template, " on conflict ") {
        find_top_level(tail, " do update ")?;
        let (head, values) = split_top_level(body, " values ")?;
        let expressions = split_list(values.strip_prefix(" values (")?.strip_suffix(')')?)?;
        let key = key_parameters(head, &expressions, &tail[" on conflict ".len()..])?;
        return Some(key.into_iter().map(|(_, parameter)| parameter).collect());
    }
    if !template.starts_with("update ") && !template.starts_with("delete ") {
        return None;
    }
    let (_, condition) = split_top_level(template, " where ")?;
    let key = condition[" where ".len()..]
        .split(" and ")
        .filter_map(|test| bare_mark(test.split(" returning ").next()?.split_once(" = ")?.1))
        .collect();
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows every form of `sql`, one a line.
    fn check(sql: &str, sqlite: &str, postgres: &str, set: Option<&str>) -> Forms {
        let forms = render(sql).expect("the text is well formed");
        assert_eq!(forms.sqlite, sqlite);
        assert_eq!(forms.postgres, postgres);
        assert_eq!(forms.set.as_ref().map(|set| set.sql.as_str()), set);
        forms
    }

    #[test]
    fn select_runs_laterally_and_keeps_its_lock() {
        check(
            "select balance from account\n  where bucket = :bucket and id = :id::text {for update}",
            "select balance from account where bucket = ?1 and id = ?2",
            "select balance from account where bucket = $1::bigint and id = $2::text for update",
            Some(
                "select given.given_ord, found.* from unnest($1::bigint[], $2::text[]) with ordinality \
                 as given(given_1, given_2, given_ord) cross join lateral (select balance from account \
                 where bucket = given.given_1 and id = given.given_2 for update) as found",
            ),
        );
    }

    #[test]
    fn a_repeated_mark_is_one_parameter() {
        let forms = check(
            "select 1 from t where a = :a or b = :a or c = ':x'",
            "select 1 from t where a = ?1 or b = ?1 or c = ':x'",
            "select 1 from t where a = $1::bigint or b = $1::bigint or c = ':x'",
            Some(
                "select given.given_ord, found.* from unnest($1::bigint[]) with ordinality as \
                 given(given_1, given_ord) cross join lateral (select 1 from t where a = given.given_1 \
                 or b = given.given_1 or c = ':x') as found",
            ),
        );
        assert_eq!(forms.marks.len(), 1);
    }

    #[test]
    fn insert_selects_from_the_sets() {
        let forms = check(
            "insert into t (bucket, id, n) values (:bucket, :id::text, :n + 1)
             on conflict (bucket, id) do nothing returning n, id, bucket",
            "insert into t (bucket, id, n) values (?1, ?2, ?3 + 1) \
             on conflict (bucket, id) do nothing returning n, id, bucket",
            "insert into t (bucket, id, n) values ($1::bigint, $2::text, $3::bigint + 1) \
             on conflict (bucket, id) do nothing returning n, id, bucket",
            Some(
                "insert into t (bucket, id, n) select given.given_1, given.given_2, given.given_3 + 1 \
                 from unnest($1::bigint[], $2::text[], $3::bigint[]) with ordinality as \
                 given(given_1, given_2, given_3, given_ord) \
                 on conflict (bucket, id) do nothing returning n, id, bucket",
            ),
        );
        let rows = forms.set.map(|set| set.rows);
        assert_eq!(rows, Some(SetRows::InOrder(vec![(2, 0), (1, 1)])));
    }

    #[test]
    fn a_row_that_a_set_changes_is_known_by_its_key() {
        for (sql, key) in [
            (
                "update t set n = :n where a = :a and b = :b and n > :least",
                Some(vec![1, 2]),
            ),
            ("delete from t where a = :a returning b", Some(vec![0])),
            (
                "insert into t (n, b, a) values (:n, :b, :a)
                 on conflict (a, b) do update set n = excluded.n",
                Some(vec![2, 1]),
            ),
            ("insert into t (a) values (:a) on conflict (a) do nothing", None),
            (
                "insert into t (a) values (:a) on conflict (a) do update set a = :b",
                None,
            ),
            ("select a from t where a = :a", None),
        ] {
            assert_eq!(render(sql).expect("well formed").changed_row_key, key, "{sql}");
        }
    }

    #[test]
    fn insert_from_select_runs_laterally() {
        check(
            "insert into t (id, n) select :id::text, n from u where u.id = :id::text on conflict do nothing",
            "insert into t (id, n) select ?1, n from u where u.id = ?1 on conflict do nothing",
            "insert into t (id, n) select $1::text, n from u where u.id = $1::text on conflict do nothing",
            Some(
                "insert into t (id, n) select found.* from unnest($1::text[]) with ordinality as \
                 given(given_1, given_ord) cross join lateral (select given.given_1, n from u where \
                 u.id = given.given_1) as found on conflict do nothing",
            ),
        );
    }

    #[test]
    fn update_joins_the_sets_and_numbers_what_it_returns() {
        let forms = check(
            "update t set n = n + :n where bucket = :bucket and id = :id::text and n >= :least returning n",
            "update t set n = n + ?1 where bucket = ?2 and id = ?3 and n >= ?4 returning n",
            "update t set n = n + $1::bigint where bucket = $2::bigint and id = $3::text and \
             n >= $4::bigint returning n",
            Some(
                "update t set n = n + given.given_1 from unnest($1::bigint[], $2::bigint[], $3::text[], \
                 $4::bigint[]) with ordinality as given(given_1, given_2, given_3, given_4, given_ord) \
                 where bucket = given.given_2 and id = given.given_3 and n >= given.given_4 \
                 returning given.given_ord, n",
            ),
        );
        assert_eq!(forms.changed_row_key, Some(vec![1, 2]));
    }

    #[test]
    fn update_with_its_own_source_keeps_it() {
        let set = render("update t set n = u.n from u where u.id = t.id and t.id = :id::text")
            .expect("well formed")
            .set;
        assert_eq!(
            set.map(|set| set.sql).as_deref(),
            Some(
                "update t set n = u.n from unnest($1::text[]) with ordinality as given(given_1, \
                 given_ord), u where u.id = t.id and t.id = given.given_1"
            )
        );
    }

    #[test]
    fn delete_uses_the_sets() {
        check(
            "delete from t where id = :id::bytea",
            "delete from t where id = ?1",
            "delete from t where id = $1::bytea",
            Some(
                "delete from t using unnest($1::bytea[]) with ordinality as given(given_1, given_ord) \
                 where id = given.given_1",
            ),
        );
    }

    #[test]
    fn what_no_set_statement_can_say_has_no_set_form() {
        for sql in [
            "select 1",
            "with x as (select :a as a) select a from x",
            "insert into t (a) values (:a) on conflict (a) do update set b = :b",
            "insert into t (a) values (:a), (:b)",
            "update t set a = :a",
            "insert into t (a) values (:a) on conflict do nothing returning a",
            "insert into t (a, b) values (:a, :b) on conflict (a, b) do nothing returning a",
            "insert into t (a) values (:a + 1) on conflict (a) do nothing returning a",
            "insert into t (a) select b from u where b = :b returning a",
        ] {
            assert_eq!(render(sql).expect("well formed").set, None, "{sql}");
        }
    }

    #[test]
    fn malformed_texts_are_refused() {
        for (sql, reason) in [
            (
                "select a::text from t",
                "a colon without a name; casts other than of marks are written cast(…)",
            ),
            ("select :a::int", "mark a has a kind other than text or bytea"),
            ("select :a, :a::text", "mark a has two kinds"),
            ("select 'a", "a quote is not closed"),
            (
                "select 1 {for share}",
                "only {for update} or {for update skip locked} may stand in braces, at the end",
            ),
        ] {
            assert_eq!(render(sql).map(|_| ()), Err(reason.to_owned()), "{sql}");
        }
    }
}
