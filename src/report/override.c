// SPDX-License-Identifier: MIT
/* The line of a trace's scenario that holds the options of the command line. Layer: report. */
#include "report/override.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "#seamlab:";

#define MARK_SIZE (sizeof(mark) - 1)

size_t override_size(const char *text, size_t size)
{
	const char *end;

	if (size < MARK_SIZE || memcmp(text, mark, MARK_SIZE) != 0)
		return 0;
	end = memchr(text, '\n', size);
	return end ? (size_t)(end - text) + 1 : size;
}

int override_write(const struct sl_policy_options *o, char **text, size_t *size)
{
	char *line = NULL;
	size_t all;
	FILE *f;

	if (!o->policy && !o->set_count && !override_size(*text, *size))
		return 0;
	f = open_memstream(&line, &all);
	if (!f)
		return -ENOMEM;
	fputs(mark, f);
	if (o->policy)
		fprintf(f, " %s", o->policy);
	for (uint32_t i = 0; i < o->set_count; i++)
		fprintf(f, " %s", o->set[i]);
	fputc('\n', f);
	fwrite(*text, 1, *size, f);
	if (fclose(f)) {
		free(line);
		return -ENOMEM;
	}
	free(*text);
	*text = line;
	*size = all;
	return 0;
}

void override_print(FILE *f, const char *text, size_t size)
{
	const char *end = text + override_size(text, size);

	text += MARK_SIZE;
	while (text < end) {
		size_t word = 0;

		while (text + word < end && text[word] != ' ' && text[word] != '\n')
			word++;
		if (word)
			fprintf(f, " %s %.*s", memchr(text, '=', word) ? "--set" : "--policy",
				(int)word, text);
		text += word + 1;
	}
}

/* One word of the line: a policy, or a switch and its value. */
static int apply_word(const char *word, struct scenario *s, struct sl_err *err)
{
	if (strchr(word, '='))
		return scenario_override(s, NULL, &word, 1, err);
	return scenario_override(s, word, NULL, 0, err);
}

int override_apply(const char *text, size_t size, struct scenario *s, struct sl_err *err)
{
	size_t end = override_size(text, size);
	char *line, *word, *rest;
	int ret = 0;

	if (!end)
		return 0;
	line = strndup(text + MARK_SIZE, end - MARK_SIZE);
	if (!line)
		return sl_err_set(err, -ENOMEM, "out of memory");
	for (word = strtok_r(line, " \n", &rest); word && !ret; word = strtok_r(NULL, " \n", &rest))
		ret = apply_word(word, s, err);
	free(line);
	return ret;
}
