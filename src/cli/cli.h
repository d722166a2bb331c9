/* SPDX-License-Identifier: MIT */
/* The commands of the program. Layer: cli; uses only the public headers. */
#ifndef SL_CLI_CLI_H
#define SL_CLI_CLI_H

/* argv[0] is the command's name. Returns the exit code. */
int cmd_check(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* Prints "seamlab COMMAND: ..." to standard error; returns SL_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int cli_error(const char *command, const char *fmt, ...);

/* True once SIGINT or SIGTERM has come; the first call of cli_catch_signals() arms it. */
void cli_catch_signals(void);
_Bool cli_interrupted(void *ctx);

#endif
