// SPDX-License-Identifier: MIT
/* The line of a trace's scenario that holds the options of the command line. Layer: report. */
#include "report/override.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "#seamlab:";
/* In front of the hash of the policy's shared object. */
static const char mark_plugin[] = "plug-in:";

#define MARK_SIZE (sizeof(mark) - 1)

size_t override_size(const char *text, size_t size)
{
	const char *end;

	if (size < MARK_SIZE || memcmp(text, mark, MARK_SIZE) != 0)
		return 0;
	end = memchr(text, '\n', size);
	return end ? (size_t)(end - text) + 1 : size;
}

/* Characters that words of the line do not have as they are. */
static bool is_plain(char c)
{
	return c > ' ' && c != '=' && c != '%' && c != ':';
}

static void print_encoded(FILE *f, const char *word)
{
	for (; *word; word++)
		fprintf(f, is_plain(*word) ? "%c" : "%%%02x", (unsigned char)*word);
}

static void decode(char *word)
{
	char *to = word;

	for (; *word; word++) {
		unsigned int c;

		if (*word == '%' && sscanf(word + 1, "%2x", &c) == 1 && c && word[1] && word[2]) {
			*to++ = (char)c;
			word += 2;
		} else {
			*to++ = *word;
		}
	}
	*to = '\0';
}

/* A path that can be found from elsewhere. */
static void print_policy(FILE *f, const char *policy)
{
	char *full = scenario_is_plugin(policy, strlen(policy)) ? realpath(policy, NULL) : NULL;

	fputc(' ', f);
	print_encoded(f, full ? full : policy);
	free(full);
}

int override_write(const struct sl_policy_options *o, const struct plugin *plugin, char **text,
		   size_t *size)
{
	char *line = NULL;
	size_t all;
	FILE *f;

	if (!o->policy && !o->set_count && !plugin && !override_size(*text, *size))
		return 0;
	f = open_memstream(&line, &all);
	if (!f)
		return -ENOMEM;
	fputs(mark, f);
	if (o->policy)
		print_policy(f, o->policy);
	for (uint32_t i = 0; i < o->set_count; i++)
		fprintf(f, " %s", o->set[i]);
	if (plugin)
		fprintf(f, " %s%016llx", mark_plugin, (unsigned long long)plugin_hash(plugin));
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

/* The words of the line, one after another; the caller frees *line. */
static int split(const char *text, size_t size, char **line)
{
	size_t end = override_size(text, size);

	*line = end ? strndup(text + MARK_SIZE, end - MARK_SIZE) : strdup("");
	return *line ? 0 : -ENOMEM;
}

void override_print(FILE *f, const char *text, size_t size)
{
	char *line, *word, *rest;

	if (split(text, size, &line))
		return;
	for (word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		if (strchr(word, '=')) {
			fprintf(f, " --set %s", word);
		} else if (!strchr(word, ':')) {
			decode(word);
			fprintf(f, " --policy %s", word);
		}
	}
	free(line);
}

/* One word of the line: a switch and its value, something with a mark of its own, or a policy. */
static int apply_word(char *word, struct scenario *s, struct sl_err *err)
{
	const char *set = word;

	if (strchr(word, '='))
		return scenario_override(s, NULL, &set, 1, err);
	if (!strncmp(word, mark_plugin, sizeof(mark_plugin) - 1)) {
		s->plugin_hash = strtoull(word + sizeof(mark_plugin) - 1, NULL, 16);
		return 0;
	}
	decode(word);
	return scenario_override(s, word, NULL, 0, err);
}

int override_apply(const char *text, size_t size, struct scenario *s, struct sl_err *err)
{
	char *line, *word, *rest;
	int ret = 0;

	if (split(text, size, &line))
		return sl_err_set(err, -ENOMEM, "out of memory");
	for (word = strtok_r(line, " \n", &rest); word && !ret; word = strtok_r(NULL, " \n", &rest))
		ret = apply_word(word, s, err);
	free(line);
	return ret;
}

int override_all(const struct sl_policy_options *o, struct scenario *s, struct plugin **plugin,
		 struct sl_err *err)
{
	int rc = scenario_override(s, o->policy, o->set, o->set_count, err);

	return rc ? rc : plugin_attach(s, plugin, err);
}

int override_read(const char *path, const char *text, size_t size, struct scenario **s,
		  struct plugin **plugin, struct sl_err *err)
{
	size_t skip = override_size(text, size);
	int rc = scenario_read_text(path, text + skip, size - skip, s, err);

	if (!rc)
		rc = override_apply(text, size, *s, err);
	/* Code is loaded only if it is what was used then. */
	if (!rc && (*s)->plugin && !(*s)->plugin_hash)
		rc = sl_err_set(
			err, -EINVAL,
			"found the policy %s without its hash; expected what seamlab check has "
			"written",
			(*s)->plugin);
	return rc ? rc : plugin_attach(*s, plugin, err);
}
