//! Loads the programs of an object, each by itself, with one version of aya. Nothing is attached.
//! Who runs it sees what it hands to the kernel; here it prints only what the loader says.

use std::error::Error;

use aya::programs::Program;
use aya::{Btf, Ebpf, EbpfLoader};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (path, wanted) = (&arguments[1], &arguments[2..]);
    let data = std::fs::read(path).expect("the object");
    let names: Vec<String> = match open(&data) {
        Ok(object) => object.programs().map(|(name, _)| name.to_string()).collect(),
        Err(error) => {
            println!("!\t\t{}", chain(&*error));
            std::process::exit(1);
        }
    };
    for name in names {
        if wanted.is_empty() || wanted.contains(&name) {
            match load(&data, &name) {
                Ok(()) => println!("+\t{name}\t"),
                Err(error) => println!("-\t{name}\t{}", chain(&*error)),
            }
        }
    }
}

fn open(data: &[u8]) -> Result<Ebpf, Box<dyn Error>> {
    Ok(EbpfLoader::new().load(data)?)
}

fn load(data: &[u8], name: &str) -> Result<(), Box<dyn Error>> {
    let mut object = open(data)?;
    let target = target_of(data, name);
    let program = object.program_mut(name).ok_or("no such program")?;
    match program {
        Program::KProbe(p) => p.load()?,
        Program::UProbe(p) => p.load()?,
        Program::TracePoint(p) => p.load()?,
        Program::SocketFilter(p) => p.load()?,
        Program::Xdp(p) => p.load()?,
        Program::SkMsg(p) => p.load()?,
        Program::SkSkb(p) => p.load()?,
        Program::SockOps(p) => p.load()?,
        Program::SchedClassifier(p) => p.load()?,
        Program::CgroupSkb(p) => p.load()?,
        Program::CgroupSysctl(p) => p.load()?,
        Program::CgroupSockopt(p) => p.load()?,
        Program::CgroupSockAddr(p) => p.load()?,
        Program::CgroupSock(p) => p.load()?,
        Program::CgroupDevice(p) => p.load()?,
        Program::LircMode2(p) => p.load()?,
        Program::PerfEvent(p) => p.load()?,
        Program::RawTracePoint(p) => p.load()?,
        Program::SkLookup(p) => p.load()?,
        Program::Lsm(p) => p.load(&target, &Btf::from_sys_fs()?)?,
        Program::BtfTracePoint(p) => p.load(&target, &Btf::from_sys_fs()?)?,
        Program::FEntry(p) => p.load(&target, &Btf::from_sys_fs()?)?,
        Program::FExit(p) => p.load(&target, &Btf::from_sys_fs()?)?,
        Program::Iter(p) => p.load(&target, &Btf::from_sys_fs()?)?,
        _ => return Err("a program type that this loader is not asked for".into()),
    }
    Ok(())
}

/// What a program attaches to: the part of its section's name behind the slash.
fn target_of(data: &[u8], name: &str) -> String {
    aya_sections::section_of(data, name)
        .and_then(|section| section.split_once('/').map(|(_, rest)| rest.to_string()))
        .unwrap_or_default()
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text.replace('\n', " ")
}

/// Just enough of ELF to find the section that a symbol lies in.
mod aya_sections {
    fn number(data: &[u8], at: usize, bytes: usize) -> Option<usize> {
        let mut word = [0u8; 8];
        word[..bytes].copy_from_slice(data.get(at..at + bytes)?);
        Some(u64::from_le_bytes(word) as usize)
    }

    fn text(data: &[u8], at: usize) -> Option<String> {
        let rest = data.get(at..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    pub fn section_of(data: &[u8], name: &str) -> Option<String> {
        let table = number(data, 0x28, 8)?;
        let header = |index: usize| table + 64 * index;
        let names = number(data, header(number(data, 0x3e, 2)?) + 0x18, 8)?;
        for index in 0..number(data, 0x3c, 2)? {
            if number(data, header(index) + 4, 4)? != 2 {
                continue; // no symbol table
            }
            let start = number(data, header(index) + 0x18, 8)?;
            let count = number(data, header(index) + 0x20, 8)? / 24;
            let strings = number(data, header(number(data, header(index) + 0x28, 4)?) + 0x18, 8)?;
            for at in (0..count).map(|row| start + 24 * row) {
                if text(data, strings + number(data, at, 4)?)? == name {
                    let section = header(number(data, at + 6, 2)?);
                    return text(data, names + number(data, section, 4)?);
                }
            }
        }
        None
    }
}
