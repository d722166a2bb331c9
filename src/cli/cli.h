/* SPDX-License-Identifier: MIT */
/* The commands of the program. Layer: cli; uses only the public headers. */
#ifndef SL_CLI_CLI_H
#define SL_CLI_CLI_H

#include <seamlab/module.h>
#include <seamlab/seamlab.h>

/* argv[0] is the command's name. Returns the exit code. */
int cmd_answers(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_bounds(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_matrix(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_policies(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* What stands behind a command's options. */
struct cli_words {
	char **word;
	int count;
};

/* Files to work on. */
struct cli_file {
	char *path;
	_Bool from_folder; /* found in a folder, not named itself */
};

struct cli_files {
	struct cli_file *file;
	int count;
	const char *failed; /* the argument that an error is about */
};

/* Folders among @args become the *.yaml files below them, sorted. 0 or a negative errno. */
int cli_files_expand(const struct cli_words *args, struct cli_files *f);
/* In an order that does not depend on that of the arguments. */
void cli_files_sort(struct cli_files *f);
void cli_files_free(struct cli_files *f);

/* Prints "seamlab COMMAND: ..." to standard error; returns SL_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int cli_error(const char *command, const char *fmt, ...);

/* The same about an input file; with -ENOENT also which file may be meant. */
int cli_file_error(const char *command, int rc, const char *path, const char *err);

/*
 * Where a file of the data that comes with seamlab is, such as scenarios/answers/answers.yml: in the folder
 * $SEAMLAB_DATADIR if that is set, else below the working directory, else installed. If it is nowhere:
 * false, and @path says where it was expected.
 */
_Bool cli_data(const char *name, char *path, size_t size);

/*
 * Where another program that belongs to this one is: beside it in the build directory, below bench/, or installed.
 * False, and @path says where it was expected.
 */
_Bool cli_helper(const char *name, char *path, size_t size);

struct argp;
struct argp_state;
/*
 * argp_parse() of what stands behind the command. Names of values in its options and arguments mean
 * something to the shell's completion (completions/seamlab.bash): a|b is one of these words.
 */
void cli_parse(const char *command, const struct argp *argp, int argc, char **argv, void *input);
/* The releases of the module, each behind a '|'. */
extern const char cli_releases[];
/* The value of --format; any other text ends the program with a usage error. */
enum sl_format cli_format(struct argp_state *state, const char *arg);
/* A number from 0 to @max, likewise; @name is the option's, for the message. */
double cli_number(struct argp_state *state, const char *name, const char *arg, double max);
/*
 * Half of the memory that is free, in bytes, for an exploration: the rest is for tables that grow, and for
 * others. 0 if nobody says how much that is.
 */
size_t cli_default_memory(void);
/*
 * --time SECONDS and --memory MB: rows of a table of options, with what a command says of them, and what to do
 * with their keys. @seconds, or @memory in bytes, is NULL where there is no such row. True if @key was one.
 */
#define CLI_TIME_OPTION(text)                               \
	{                                                   \
		"time", CLI_OPT_TIME, "SECONDS", 0, text, 0 \
	}
#define CLI_MEMORY_OPTION(text)                            \
	{                                                  \
		"memory", CLI_OPT_MEMORY, "MB", 0, text, 0 \
	}
_Bool cli_limit_option(struct argp_state *state, int key, const char *arg, double *seconds,
		       size_t *memory);
/* What stands behind the options; true if @key was about that. */
_Bool cli_words_option(struct argp_state *state, int key, struct cli_words *w);
/* The value of --release, likewise. */
enum sl_release cli_release(struct argp_state *state, const char *arg);
/*
 * --policy NAME, --set SWITCH=VALUE, --release R and --flavour F, for the options of bounds, check and run: rows
 * of a table of options, and what to do with their keys. @o->set has room for CLI_SETTINGS_MAX.
 */
#define CLI_SETTINGS_MAX 64
enum {
	CLI_OPT_POLICY = 512,
	CLI_OPT_SET,
	CLI_OPT_RELEASE,
	CLI_OPT_FLAVOUR,
	CLI_OPT_TIME,
	CLI_OPT_MEMORY,
};
#define CLI_POLICY_OPTIONS                                                                 \
	{ "policy",                                                                        \
	  CLI_OPT_POLICY,                                                                  \
	  "NAME|FILE.so",                                                                  \
	  0,                                                                               \
	  "what the host does about BUSY, instead of what the scenario says; see seamlab " \
	  "policies",                                                                      \
	  0 },                                                                             \
		{ "set",                                                                   \
		  CLI_OPT_SET,                                                             \
		  "SWITCH=VALUE",                                                          \
		  0,                                                                       \
		  "change one switch of the policy; may be given again",                   \
		  0 },                                                                     \
		{ "release",                                                               \
		  CLI_OPT_RELEASE,                                                         \
		  &cli_releases[1],                                                        \
		  0,                                                                       \
		  "release of the module, instead of the scenario's",                      \
		  0 },                                                                     \
	{                                                                                  \
		"flavour", CLI_OPT_FLAVOUR, "published|hardened", 0,                       \
			"flavour of the module, instead of the scenario's", 0              \
	}
struct cli_policy {
	const char *set[CLI_SETTINGS_MAX];
	char text[CLI_SETTINGS_MAX][64]; /* of settings that have an option of their own */
};
/* True if @key was one of these. */
_Bool cli_policy_option(struct argp_state *state, int key, const char *arg, struct cli_policy *p,
			struct sl_policy_options *o);

/*
 * Prints a report (NULL: there was no memory for it) and frees it. 0, or an exit code after a message:
 * standard output could not be written.
 */
int cli_print(const char *command, char *report, enum sl_format format);

/*
 * Reports on the scenarios of a set, in their order: cli_reports_new(), _begin(), one of the next four for each
 * scenario, _end(), which returns the exit code. 0 or an exit code, after a message, where an int is returned.
 */
struct cli_reports {
	const char *command;
	enum sl_format format; /* of one scenario by itself */
	_Bool one_document;    /* of all of them */
	enum sl_checks_format document;
	_Bool shard; /* JSON is for seamlab merge */
	struct sl_checks *checks;
	int count, expected, unexpected, skipped, code;
};
/* The value of --format, as in cli_format(). */
void cli_reports_format(struct argp_state *state, const char *arg, struct cli_reports *r);
int cli_reports_new(struct cli_reports *r, int count);
int cli_reports_begin(struct cli_reports *r);
void cli_reports_check(struct cli_reports *r, const struct sl_check *check);
/* Could not be read; what is wrong has been said on standard error. */
void cli_reports_error(struct cli_reports *r, const char *path, const char *err);
/* Not meant to be explored. */
void cli_reports_skip(struct cli_reports *r, const char *path, const char *why);
/* Nobody came to it, because of an interruption. */
void cli_reports_left(struct cli_reports *r, const char *path);
int cli_reports_end(struct cli_reports *r, const struct sl_check_options *o);

/* How reports look on standard output: as wide as a terminal, with colours if it has some. */
struct sl_text_style cli_style(void);
/*
 * One line on standard error that is written over by the next one, cut to the terminal's width. Only if
 * cli_has_progress(): standard error is a terminal.
 */
_Bool cli_has_progress(void);
__attribute__((format(printf, 1, 2))) void cli_progress(const char *fmt, ...);
void cli_progress_end(void);

/* True once SIGINT or SIGTERM has come; the first call of cli_catch_signals() arms it. */
void cli_catch_signals(void);
_Bool cli_interrupted(void *ctx);

#endif
