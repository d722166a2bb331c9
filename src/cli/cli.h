/* SPDX-License-Identifier: MIT */
/* The commands of the program. Layer: cli; uses only the public headers. */
#ifndef SL_CLI_CLI_H
#define SL_CLI_CLI_H

/* argv[0] is the command's name. Returns the exit code. */
int cmd_check(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_run(int argc, char **argv);

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
int cli_files_expand(char **args, int count, struct cli_files *f);
void cli_files_free(struct cli_files *f);

/* Prints "seamlab COMMAND: ..." to standard error; returns SL_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int cli_error(const char *command, const char *fmt, ...);

/* True once SIGINT or SIGTERM has come; the first call of cli_catch_signals() arms it. */
void cli_catch_signals(void);
_Bool cli_interrupted(void *ctx);

#endif
