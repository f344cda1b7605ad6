//! Runs the relocation code of aya on files. Nothing is loaded into a kernel.
//!
//! Jobs come as lines on standard input, with tabs between id, object, BTF and stage; each is
//! answered by one JSON line in the form of tests/golden.

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, BufRead as _, Write as _};

use aya_obj::btf::Btf;
use aya_obj::generated::bpf_insn;
use aya_obj::{Function, Object};
use object::Endianness;
use serde_json::{Map, Value, json};

/// Where it stopped, and what aya says.
struct Failure(&'static str, String);

fn at<E: Error>(step: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure(step, chain(&error))
}

/// The error with all its causes, as far as they say anything new.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

struct Target {
    path: String,
    btf: Result<Btf, String>,
}

impl Target {
    fn read(path: &str) -> Self {
        let btf = Btf::parse_file(path, Endianness::default()).map_err(|error| chain(&error));
        Self { path: path.to_owned(), btf }
    }
}

fn slots(function: &Function) -> Value {
    let one = |insn: &bpf_insn| {
        let registers = insn.dst_reg() | insn.src_reg() << 4;
        let mut bytes = vec![insn.code, registers];
        bytes.extend(insn.off.to_le_bytes());
        bytes.extend(insn.imm.to_le_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    function.instructions.iter().map(one).collect()
}

fn relocate(object: &str, btf: &Btf, linked: bool) -> Result<Object, Failure> {
    let data = std::fs::read(object).map_err(at("Object::parse"))?;
    let mut object = Object::parse(&data).map_err(at("Object::parse"))?;
    object.relocate_btf(btf).map_err(at("relocate_btf"))?;
    if linked {
        let text: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let maps = object.maps.clone();
        let unknown = maps.iter().map(|(name, map)| (name.as_str(), 0, map));
        object.relocate_maps(unknown, &text).map_err(at("relocate_maps"))?;
        object.relocate_calls(&text).map_err(at("relocate_calls"))?;
    }
    Ok(object)
}

fn programs(object: &Object) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, program) in &object.programs {
        if let Some(function) = object.functions.get(&program.function_key()) {
            found.insert(name.clone(), json!({"insns": slots(function), "error": null}));
        }
    }
    found
}

fn answer(id: &str, result: Result<Object, Failure>) -> Value {
    match result {
        Ok(object) => json!({"id": id, "programs": programs(&object), "error": null}),
        Err(Failure(code, text)) => {
            json!({"id": id, "programs": {}, "error": {"code": code, "text": text}})
        }
    }
}

fn main() -> io::Result<()> {
    let mut known: Option<Target> = None;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, object, btf, stage] = fields[..] else {
            return Err(io::Error::other(format!("not a job: {line}")));
        };
        // The last target stays in memory: jobs come sorted by it.
        let target = match known.take() {
            Some(target) if target.path == btf => target,
            _ => Target::read(btf),
        };
        let result = match &target.btf {
            Ok(btf) => relocate(object, btf, stage == "linked"),
            Err(text) => Err(Failure("Btf::parse", text.clone())),
        };
        known = Some(target);
        writeln!(out, "{}", answer(id, result))?;
    }
    Ok(())
}
