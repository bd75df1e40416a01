//! `gazectl completions` and `gazectl man`: what packages install beside the program.

use std::io::Write;

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

pub fn man(command: clap::Command, out: &mut Output) -> anyhow::Result<()> {
    Ok(clap_mangen::Man::new(command).render(out)?)
}
