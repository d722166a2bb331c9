// SPDX-License-Identifier: MIT
/* What depends on whether somebody looks at a terminal: widths, colours, progress. Layer: cli. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

#define WIDTH_DEFAULT 80
/* Reports wrap in between; what is narrower wraps in the terminal, what is wider is hard to read. */
#define WIDTH_MIN 60
#define WIDTH_MAX 160

/* Columns of the terminal @fd: what $COLUMNS says, else the terminal. */
static unsigned int columns(int fd)
{
	const char *said = getenv("COLUMNS");
	int n = said ? atoi(said) : 0;
	struct winsize size;

	if (n > 0)
		return (unsigned int)n;
	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return WIDTH_DEFAULT;
}

/* https://no-color.org: set, and not empty. */
static _Bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (!no || !*no) && term && *term && strcmp(term, "dumb") != 0;
}

struct sl_text_style cli_style(void)
{
	struct sl_text_style style = { 0 };

	if (!isatty(STDOUT_FILENO))
		return style;
	style.width = columns(STDOUT_FILENO);
	if (style.width < WIDTH_MIN)
		style.width = WIDTH_MIN;
	if (style.width > WIDTH_MAX)
		style.width = WIDTH_MAX;
	style.colour = wants_colour();
	return style;
}

_Bool cli_has_progress(void)
{
	return isatty(STDERR_FILENO);
}

void cli_progress(const char *fmt, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* A line that wrapped could not be written over. */
	fprintf(stderr, "\r%.*s\033[K", (int)columns(STDERR_FILENO) - 1, line);
}

void cli_progress_end(void)
{
	if (cli_has_progress())
		fputs("\r\033[K", stderr);
}
