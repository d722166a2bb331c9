// SPDX-License-Identifier: MIT
/* A counterexample as an engineer pastes it into a mail. Layer: report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/explain.h"
#include "report/override.h"
#include "report/story_report.h"
#include "report/table.h"

/* Calls, and what changes in the words that lanes share. Looks are left out. */
static bool is_told(const struct story *s, const struct story_event *e)
{
	switch (e->kind) {
	case STORY_BEGIN:
	case STORY_END:
		return true;
	case STORY_ACCESS:
		return e->row->before != e->row->after && s->object[e->object].column;
	case STORY_STEP:
	default:
		return false;
	}
}

static void put_event(FILE *f, const struct story *s, const struct story_event *e, int lane_width)
{
	const struct story_call *c = e->call == STORY_NONE ? NULL : &s->call[e->call];
	char line[512], text[256];

	story_line(s, e, "->", text, sizeof(text));
	switch (e->kind) {
	case STORY_BEGIN:
		snprintf(line, sizeof(line), "%s%s", c->name,
			 c->tone == STORY_OPEN ? "  (does not end)" : "");
		break;
	case STORY_END:
		snprintf(line, sizeof(line), "%s: %s", c->name, text);
		break;
	default:
		snprintf(line, sizeof(line), "  %s: %s", s->object[e->object].name, text);
	}
	fprintf(f, "  %5u %-*s %.*s\n", e->step, lane_width, story_lane(s, e->lane),
		STYLE_WIDTH - 9 - lane_width, line);
}

static void put_time_line(FILE *f, const struct story *s)
{
	int width = 0;

	for (u32 i = 0; i < s->lanes; i++)
		if ((int)strlen(story_lane(s, i)) > width)
			width = (int)strlen(story_lane(s, i));
	fprintf(f, "\nWhat happens (%u steps, %u preemptions; changes and calls):\n",
		s->replay->trace.steps, s->replay->trace.preemptions);
	for (u32 i = 0; i < s->events; i++) {
		const struct story_event *e = &s->event[i];

		if (i == s->loop)
			fputs("        -- from here on, again and again --\n", f);
		/* A begin says nothing that its end does not say, if nothing comes between. */
		if (e->kind == STORY_BEGIN && s->call[e->call].end == i + 1)
			continue;
		if (is_told(s, e))
			put_event(f, s, e, width);
	}
}

static void put_scenario(FILE *f, const struct trace *t)
{
	size_t skip = override_size(t->scenario, t->scenario_size);
	const char *p = t->scenario + skip, *end = t->scenario + t->scenario_size;

	fprintf(f, "\nThe scenario, %s:\n", t->scenario_path);
	while (p < end) {
		const char *line = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((line ? line : end) - p);

		fputs(n ? "    " : "", f);
		/* A terminal obeys some bytes; a mail has no use for them. */
		for (size_t i = 0; i < n; i++)
			fputc(((u8)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f ? '?' : p[i], f);
		fputc('\n', f);
		p += n + 1;
	}
}

char *story_bug(const struct story *s)
{
	const struct trace *t = &s->replay->trace;
	char build[BUILD_TEXT_MAX], text[640], *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	fprintf(f, "%s\n", s->replay->scenario->title);
	story_verdict(s, text, sizeof(text));
	fprintf(f, "\n  verdict   violated(%s)\n", text);
	table_finding(&(struct table_out){ .f = f, .width = STYLE_WIDTH }, t->id, t->text);
	if (s->replay->result.diverged.step)
		fprintf(f,
			"  This program did not come to it again: step %u of %u was another one.\n",
			s->replay->result.diverged.step, t->steps);
	story_setting(s, text, sizeof(text));
	fputc('\n', f);
	text_field(f, 2, "setting", text);
	text_fieldf(f, 2, "seamlab", "%s, build %s", sl_version(),
		    build_text(s->replay->build_id, s->replay->build_id_size, build));
	if (!replay_same_build(s->replay))
		text_fieldf(f, 2, "trace by", "%s, build %s", t->version,
			    build_text(t->build_id, t->build_id_size, build));
	put_time_line(f, s);
	put_scenario(f, t);
	fputs("\nReproduce it:\n  seamlab check", f);
	override_print(f, t->scenario, t->scenario_size);
	if (t->hash_seed)
		fprintf(f, " --hash-seed %llu", (unsigned long long)t->hash_seed);
	if (t->no_reduction)
		fputs(" --no-reduction", f);
	if (t->store_buffer)
		fprintf(f, " --memory-model tso --store-buffer %u", t->store_buffer);
	fprintf(f, " %s\n", t->scenario_path);
	return text_finish(f, &out);
}
