// SPDX-License-Identifier: MIT
/* What commands share as a process: signals, messages, the report on standard output. Layer: cli. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

void cli_catch_signals(void)
{
	/* A second Ctrl-C ends the program the hard way. */
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

_Bool cli_interrupted(void *ctx)
{
	(void)ctx;
	return interrupted;
}

int cli_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "seamlab %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return SL_EXIT_USAGE;
}

size_t cli_default_memory(void)
{
	unsigned long long kb = 0;
	char line[160];
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && sscanf(line, "MemAvailable: %llu kB", &kb) != 1)
		;
	fclose(f);
	return (size_t)kb * 1024 / 2;
}

int cli_print(const char *command, char *report, enum sl_format format)
{
	if (!report)
		return cli_error(command, "out of memory");
	fputs(report, stdout);
	if (format == SL_FORMAT_JSON)
		putchar('\n');
	free(report);
	if (fflush(stdout) || ferror(stdout))
		return cli_error(command, "cannot write the report: %s", strerror(errno));
	return 0;
}
