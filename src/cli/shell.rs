//! `gazectl completions` and `gazectl man`: what packages install beside the program.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Output;

#[derive(Debug, clap::Args)]
pub struct CompletionArgs {
    /// The shell that the script is for
    shell: Shell,
}

pub fn completions(args: &CompletionArgs, mut command: clap::Command, out: &mut Output) -> anyhow::Result<()> {
    // The generator panics when its writer fails, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "gazectl", &mut script);
    Ok(out.write_all(&script)?)
}

#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The program that the page is for
    #[arg(value_enum, default_value_t)]
    program: Program,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Program {
    #[default]
    Gazectl,
    Gazed,
}

pub fn man(args: &ManArgs, gazectl: clap::Command, out: &mut Output) -> anyhow::Result<()> {
    let command = match args.program {
        Program::Gazectl => gazectl,
        Program::Gazed => crate::daemon::Arguments::command(),
    };
    Ok(clap_mangen::Man::new(command).render(out)?)
}
