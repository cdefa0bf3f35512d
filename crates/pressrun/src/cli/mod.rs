//! The command line. Every option can also be set by the environment variable that it names.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;
use pressrun_harvest::{Since, Source};
use pressrun_lab::Profile;
use tracing_subscriber::EnvFilter;

mod mail;

pub use mail::{DigestArgs, DigestCommand, LettersArgs, MailArgs, PreviewArgs, SendArgs};

/// Daily Papers in which every paper runs.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    /// What to log, e.g. `info` or `pressrun_web=debug`.
    #[arg(long, global = true, env = "PRESSRUN_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Log as JSON, one object per line.
    #[arg(long, global = true, env = "PRESSRUN_LOG_JSON")]
    pub log_json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the site.
    Serve(ServeArgs),
    /// Run a paper's study here, with its baselines.
    Run(RunArgs),
    /// List the papers and what runs.
    Studies(StudiesArgs),
    /// Show a paper: claims, verdicts, numbers.
    Show(ShowArgs),
    /// Import papers from files, feeds, arXiv or an OAI-PMH repository.
    ///
    /// Forms, told by their first bytes (also .gz, .zst): JSON Lines; the daily papers of Hugging Face
    /// (JSON); Atom, as of arXiv's API, RSS and RDF; answers of OAI-PMH (`arXiv`, `oai_dc`); BibTeX;
    /// the text of a Daily Papers listing.
    ///
    /// An archive of `pressrun export` comes in as a whole or not at all, into a site that nobody has
    /// used yet.
    ///
    /// Good records go in, each bad one is named with file, line and reason. What is known already is
    /// added to, never taken away. A harvest that is broken off goes on where it was when the same
    /// command is given again. Exit status: 0 if all went in, 1 if some records were bad, 2 if nothing
    /// could be done.
    Import(ImportArgs),
    /// Leave with everything: write all that the site knows to one file, or as a folder of pages.
    ///
    /// The file holds papers, lists, records, runs, people with their e-mail addresses, hashes of
    /// tokens, votes, waiting mail and settings; who is signed in and sign-in links stay behind. Only
    /// its owner may read it; keep it as you keep the database. `pressrun import FILE` takes it in. It
    /// is a tar file of JSON Lines packed with zstd. A site may be running: the file is as of one moment.
    Export(ExportArgs),
    /// Search the papers, in the language of the search box.
    Search(SearchArgs),
    /// Build the search index anew.
    ///
    /// A site keeps its index in step by itself, and builds a broken one anew.
    Index(IndexArgs),
    /// Score search on papers that its embedder was not trained on.
    #[command(hide = true)]
    Score(ScoreArgs),
    /// The digest: show a letter, send what is due, look after subscriptions.
    Digest(DigestArgs),
    /// Make accounts, give roles, block.
    User(UserArgs),
    /// List or fetch the data sets that studies train on.
    Data(DataArgs),
    /// Train, describe or score the embedder that finds papers by meaning.
    Embed(EmbedArgs),
    /// Serve the papers to models: the Model Context Protocol on standard input and output.
    ///
    /// Tools: search, list, read, run, record. A site may be running on the same folder.
    Mcp(McpArgs),
    /// Check this machine and this installation.
    Doctor(DoctorArgs),
    /// Run a study as the child of a supervisor; ends when standard input closes.
    #[command(hide = true)]
    RunChild(ChildArgs),
}

/// Where the site keeps its database.
#[derive(Debug, Clone, Args)]
pub struct SiteData {
    /// Folder of the site's database; made if absent.
    #[arg(long, env = "PRESSRUN_DATA", value_name = "DIR", default_value = "pressrun-data")]
    pub data: PathBuf,
}

/// Where whole data sets lie.
#[derive(Debug, Clone, Args)]
pub struct DataSets {
    /// Folder with whole data sets, e.g. Fashion-MNIST; the embedded parts are used without it.
    #[arg(long, env = "PRESSRUN_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on.
    #[arg(long, env = "PRESSRUN_ADDR", default_value = "127.0.0.1:8080")]
    pub addr: SocketAddr,
    /// Address under which readers reach the site, e.g. `https://papers.example.org`.
    ///
    /// Feeds, site maps, files and mails name it. Without it feeds, site maps and files name the host
    /// that a request asks for, with `http`, and mails the address that the site listens on.
    #[arg(long, env = "PRESSRUN_PUBLIC_URL", value_name = "URL")]
    #[arg(value_parser = pressrun_web::public_url)]
    pub public_url: Option<String>,
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
    /// Mail.
    #[command(flatten)]
    pub mail: MailArgs,
    /// Who may start and cancel runs; by default everybody where the site listens on this machine only,
    /// and people with an account where others can reach it.
    #[arg(long, env = "PRESSRUN_RUNS", value_name = "WHO", value_parser = ["everybody", "accounts"])]
    pub runs: Option<String>,
    /// After how many hours a vote counts half in the order of trending papers.
    #[arg(long, env = "PRESSRUN_TRENDING_HOURS", default_value_t = 48.0, value_name = "HOURS")]
    pub trending_hours: f64,
    /// Data sets.
    #[command(flatten)]
    pub data_sets: DataSets,
    /// Wall time that a run may take, in seconds.
    #[arg(long, env = "PRESSRUN_RUN_SECONDS", default_value_t = 1200, value_name = "N")]
    pub run_seconds: u64,
    /// Memory that a run may use, in MiB.
    #[arg(long, env = "PRESSRUN_RUN_MEMORY", default_value_t = 4096, value_name = "MIB")]
    pub run_memory: u64,
    /// Imports.
    #[command(flatten)]
    pub schedule: ScheduleArgs,
    /// Fetching.
    #[command(flatten)]
    pub fetch: FetchArgs,
}

/// Arguments of `user`.
#[derive(Debug, Args)]
pub struct UserArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: UserCommand,
}

/// Commands of `user`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account, or give a role to the one that has the address. Prints a link that signs in
    /// once.
    Add {
        /// E-mail address.
        email: String,
        /// Make an administrator.
        #[arg(long, conflicts_with = "role")]
        admin: bool,
        /// `reader`, `curator` or `administrator`.
        #[arg(long, default_value = "reader")]
        role: String,
        /// What the link begins with: where the site is.
        #[arg(long, env = "PRESSRUN_PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
        /// Database.
        #[command(flatten)]
        site: SiteData,
    },
    /// Let somebody read only.
    Block {
        /// Short name.
        name: String,
        /// Let them write again.
        #[arg(long)]
        undo: bool,
        /// Database.
        #[command(flatten)]
        site: SiteData,
    },
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The paper's slug; `pressrun studies` lists them.
    pub slug: String,
    /// `quick` (at most 20 s on two cores) or `full` (at most 10 minutes).
    #[arg(long, default_value = "quick")]
    pub profile: Profile,
    /// Number of seeds; the profile's default if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub seeds: Option<u64>,
    /// Print the run's events as JSON, one per line.
    #[arg(long)]
    pub json: bool,
    /// Write the record of a full run into the paper's folder of the source tree.
    #[arg(long)]
    pub record: bool,
    /// Why a new record supersedes the one that is there.
    #[arg(long, value_name = "TEXT", requires = "record")]
    pub reason: Option<String>,
    /// Data sets.
    #[command(flatten)]
    pub data_sets: DataSets,
}

/// Arguments of the supervised child.
#[derive(Debug, Args)]
pub struct ChildArgs {
    /// Slug of the study.
    pub slug: String,
    /// Profile.
    #[arg(long)]
    pub profile: Profile,
    /// Number of seeds.
    #[arg(long)]
    pub seeds: Option<u64>,
    /// Identifier of the run.
    #[arg(long)]
    pub run_id: String,
    /// Data sets.
    #[command(flatten)]
    pub data_sets: DataSets,
}

/// Arguments of `studies`.
#[derive(Debug, Args)]
pub struct StudiesArgs {
    /// Print a JSON list.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The paper's slug or arXiv id.
    pub slug: String,
    /// Print the record as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files, and addresses of feeds (`https://...`), to import.
    #[arg(required_unless_present_any = ["arxiv", "oai"], value_name = "FILE|URL")]
    pub files: Vec<String>,
    /// Import what was submitted to a category of arXiv, e.g. `cs.LG`, through its API; repeatable.
    #[arg(long, visible_alias = "category", value_name = "CATEGORY")]
    pub arxiv: Vec<String>,
    /// Import from the OAI-PMH repository at that address, e.g. `https://oaipmh.arxiv.org/oai`.
    #[arg(long, value_name = "URL")]
    pub oai: Option<String>,
    /// Set of the repository, e.g. `cs`; all of it if absent.
    #[arg(long, value_name = "SET", requires = "oai")]
    pub set: Option<String>,
    /// Form of the repository's records, `arXiv` or `oai_dc`; `arXiv` for arXiv's, else `oai_dc`.
    #[arg(long, value_name = "FORM", requires = "oai")]
    pub metadata: Option<String>,
    /// From when on, e.g. `2d`, `36h`, `1w` or `2025-09-01`, for `--arxiv` and `--oai`; by default from
    /// where the last harvest ended, else two days of arXiv and all of a repository.
    #[arg(long, visible_alias = "from", value_name = "TIME")]
    pub since: Option<Since>,
    /// Put every paper on the list of that day, e.g. `2025-09-09`; one that stands on a list already
    /// stays on that.
    #[arg(long, value_name = "DAY")]
    pub list_on: Option<Date>,
    /// Let an archive take the place of all that is there, which is kept beside it as an archive.
    #[arg(long)]
    pub replace: bool,
    /// Year of a listing's day, which has none; by default the most recent such day.
    #[arg(long)]
    pub year: Option<i16>,
    /// Fetching.
    #[command(flatten)]
    pub fetch: FetchArgs,
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// File to write, which must not exist yet; `-` is standard output.
    #[arg(required_unless_present = "html", conflicts_with = "html", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Leave out what is private of people: addresses, tokens, who voted, mail, where harvests stand.
    #[arg(long, conflicts_with = "html")]
    pub public: bool,
    /// Write the site as pages instead, which any browser opens from the folder and any server of files
    /// serves; a new folder, or one that was written so before.
    #[arg(long, value_name = "FOLDER")]
    pub html: Option<PathBuf>,
    /// Where the living site is: what the pages leave out leads there, e.g.
    /// `https://papers.example.org`.
    #[arg(long, env = "PRESSRUN_PUBLIC_URL", value_name = "URL")]
    #[arg(value_parser = pressrun_web::public_url)]
    pub public_url: Option<String>,
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
}

/// How papers are fetched from elsewhere.
#[derive(Debug, Clone, Args)]
pub struct FetchArgs {
    /// Fetch from addresses of private networks and of this machine, too.
    #[arg(long, env = "PRESSRUN_ALLOW_PRIVATE")]
    pub allow_private: bool,
    /// Address at which the servers that papers are fetched from can reach you, e.g.
    /// `mailto:me@example.org`; sent along with every request.
    #[arg(long, env = "PRESSRUN_CONTACT", value_name = "CONTACT")]
    pub contact: Option<String>,
    /// Another server with arXiv's API.
    #[arg(long, env = "PRESSRUN_ARXIV_URL", value_name = "URL", hide = true)]
    pub arxiv_url: Option<String>,
    /// Another server that says what DOIs stand for.
    #[arg(long, env = "PRESSRUN_DOI_URL", value_name = "URL", hide = true)]
    pub doi_url: Option<String>,
}

/// What a site imports by itself.
#[derive(Debug, Clone, Args)]
pub struct ScheduleArgs {
    /// Import from there beside serving: `https://...` (a feed or file), `arxiv:cs.LG`, or
    /// `oai:https://...#set=cs`; repeatable, in the variable parted by spaces.
    #[arg(long, env = "PRESSRUN_IMPORT", value_name = "SOURCE", value_delimiter = ' ')]
    pub import: Vec<Source>,
    /// Time between two such imports, e.g. `30m`, `6h`, `1d`.
    #[arg(long, env = "PRESSRUN_IMPORT_EVERY", value_name = "TIME", default_value = "6h",
        value_parser = interval)]
    pub import_every: Duration,
}

/// `30m`, `6h`, `1d`: from a minute to a year.
fn interval(text: &str) -> Result<Duration, String> {
    let minutes = match text.chars().last() {
        Some('m') => 1,
        Some('h') => 60,
        Some('d') => 1440,
        _ => 0,
    };
    let count = text.strip_suffix(['m', 'h', 'd']).and_then(|count| count.parse::<u64>().ok());
    count
        .and_then(|count| count.checked_mul(minutes))
        .filter(|minutes| (1..=527_040).contains(minutes))
        .map(|minutes| Duration::from_secs(minutes * 60))
        .ok_or_else(|| "expected a form like `30m`, `6h` or `1d`".into())
}

/// What makes the vectors of search.
#[derive(Debug, Clone, Args)]
pub struct EmbedderArgs {
    /// File of a model made by `pressrun embed train`, or folder of a sentence-transformer of the BERT
    /// family; the model of this build if absent.
    #[arg(long, env = "PRESSRUN_EMBEDDER", value_name = "PATH")]
    pub embedder: Option<PathBuf>,
}

/// Arguments of `search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What to look for; quote phrases for the shell, and put `--` before a query with `-word`.
    #[arg(required = true)]
    pub query: Vec<String>,
    /// Most papers to show.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
    /// Show how each score came about.
    #[arg(long)]
    pub explain: bool,
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
}

/// Arguments of `mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
    /// Data sets.
    #[command(flatten)]
    pub data_sets: DataSets,
}

/// Arguments of `index`.
#[derive(Debug, Args)]
pub struct IndexArgs {
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
}

/// Arguments of `score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Papers.
    #[arg(long, value_name = "FILE")]
    pub corpus: PathBuf,
    /// Seed by which queries are drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Take only so many of the papers, spread over the file: for embedders that are slow.
    #[arg(long, value_name = "N")]
    pub papers: Option<usize>,
    /// Print JSON, one line a task.
    #[arg(long)]
    pub json: bool,
    /// Print the papers that the judged topics find and nobody has judged, instead of scores.
    #[arg(long, conflicts_with = "json")]
    pub unjudged: bool,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
}

/// Arguments of `data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// What to do with the data sets.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// Commands of `data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the data sets with source, licence, size and checksum.
    List,
    /// Fetch Fashion-MNIST into a folder, with checksums.
    Fetch {
        /// Folder to fetch into; pass it as `--data-dir` when running.
        dir: PathBuf,
        /// Base URL to fetch from instead of the official ones.
        #[arg(long)]
        url: Option<String>,
    },
}

/// Arguments of `embed`.
#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// What to do with embedders.
    #[command(subcommand)]
    pub command: EmbedCommand,
}

/// Commands of `embed`.
#[derive(Debug, Subcommand)]
pub enum EmbedCommand {
    /// Train a model on a file of papers, of the forms that `import` reads.
    Train(EmbedTrainArgs),
    /// Tell size and checksum of a model.
    Info {
        /// The model's file; that of this build if absent.
        file: Option<PathBuf>,
    },
    /// Search for papers that were held out from training, by the model alone.
    Score {
        /// Papers.
        #[arg(long, value_name = "FILE")]
        corpus: PathBuf,
        /// The model's file; that of this build if absent.
        #[arg(long, value_name = "FILE")]
        model: Option<PathBuf>,
        /// Seed by which queries are drawn.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// Show the words that are nearest to some others.
    Similar {
        /// Words, taken together.
        #[arg(required = true)]
        words: Vec<String>,
        /// The model's file; that of this build if absent.
        #[arg(long, value_name = "FILE")]
        model: Option<PathBuf>,
        /// How many to show.
        #[arg(long, value_name = "N", default_value_t = 15)]
        count: usize,
    },
}

/// Arguments of `embed train`. What is absent is as for the model of this build.
#[derive(Debug, Args)]
pub struct EmbedTrainArgs {
    /// Papers.
    #[arg(long, value_name = "FILE")]
    pub corpus: PathBuf,
    /// Where the model goes.
    #[arg(long, value_name = "FILE", default_value = "static-256.bin")]
    pub out: PathBuf,
    /// Seed of all random numbers.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Times that all papers are gone through.
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Papers in a batch.
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Words with a row of their own, at most.
    #[arg(long, value_name = "N")]
    pub words: Option<usize>,
    /// Learning rate at its height.
    #[arg(long, value_name = "X")]
    pub lr: Option<f64>,
    /// What cosines are divided by.
    #[arg(long, value_name = "X")]
    pub temperature: Option<f64>,
    /// Standard deviation of the first numbers of a usual word's row.
    #[arg(long, value_name = "X")]
    pub spread: Option<f32>,
    /// Power of a word's rarity by which its first numbers are larger.
    #[arg(long, value_name = "X")]
    pub power: Option<f32>,
    /// Share of words left out of a search.
    #[arg(long, value_name = "X")]
    pub query_dropout: Option<f64>,
    /// Share of words left out of a paper.
    #[arg(long, value_name = "X")]
    pub paper_dropout: Option<f64>,
    /// Papers with a word from which its vector moves at the full learning rate.
    #[arg(long, value_name = "N")]
    pub full_rate: Option<usize>,
    /// Shares of the views: title, sentences, passage, keywords.
    #[arg(long, value_name = "X", value_delimiter = ',')]
    pub shares: Option<Vec<f64>>,
    /// Score the model, before and after its numbers are rounded to 8 bits.
    #[arg(long)]
    pub score: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Data sets.
    #[command(flatten)]
    pub data_sets: DataSets,
}

/// Logs to standard error, so that standard output stays a command's result.
pub fn init_tracing(filter: Option<&str>, json: bool) {
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or("info,sqlx=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().init();
    } else {
        use std::io::IsTerminal as _;
        builder.with_ansi(std::io::stderr().is_terminal()).init();
    }
}
