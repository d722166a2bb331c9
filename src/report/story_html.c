// SPDX-License-Identifier: MIT
/*
 * A story as one HTML file: the diagram as it stands, and a script that walks through it. Nothing is
 * fetched. Layer: report.
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "diagram_css.h"
#include "page_css.h"
#include "report/diagram.h"
#include "report/explain.h"
#include "report/markup.h"
#include "report/override.h"
#include "report/story_report.h"
#include "story_js.h"

/* Rows of one picture: a printer breaks pages between pictures. */
#define CHUNK 40

/* ---- what the script knows ------------------------------------------------------------------- */

static json_t *hex(u64 v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	return json_string(text);
}

static json_t *frames(const struct source_place *p)
{
	json_t *list = json_array();

	for (u32 i = 0; i < p->frames; i++) {
		const struct source_frame *x = &p->frame[i];
		char text[256];

		snprintf(text, sizeof(text), x->file[0] ? "%s  %s:%u" : "%s", x->function, x->file,
			 x->line);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static void set_call(json_t *o, const struct story *s, const struct story_event *e)
{
	static const char *const tone[] = { [STORY_FINE] = "fine",
					    [STORY_BUSY] = "busy",
					    [STORY_ERROR] = "error",
					    [STORY_OPEN] = "" };
	const struct story_call *c = &s->call[e->call];
	struct status_view v;

	json_object_set_new(o, "call", json_string(c->name));
	if (e->kind == STORY_BEGIN)
		json_object_set_new(o, "outcome",
				    json_string(c->tone == STORY_OPEN ? "nothing yet" : c->status));
	if (e->kind != STORY_END)
		return;
	json_object_set_new(o, "tone", json_string(tone[c->tone]));
	if (!s->replay->scenario->td_count || c->tone == STORY_FINE)
		return;
	status_look_up(s->replay->scenario->module.release, c->status_value, &v);
	if (v.meaning)
		json_object_set_new(o, "meaning", json_string(v.meaning));
}

static json_t *event(const struct story *s, const struct story_event *e)
{
	static const char *const kind[] = { [STORY_STEP] = "step",
					    [STORY_ACCESS] = "access",
					    [STORY_BEGIN] = "begin",
					    [STORY_END] = "end" };
	char line[256], text[96];
	json_t *o = json_object();

	story_line(s, e, "\xE2\x86\x92", line, sizeof(line));
	json_object_set_new(o, "step", json_integer(e->step));
	json_object_set_new(o, "lane", json_integer(e->lane));
	json_object_set_new(o, "kind", json_string(kind[e->kind]));
	json_object_set_new(o, "text", json_string(line));
	if (e->call != STORY_NONE)
		set_call(o, s, e);
	if (e->kind != STORY_ACCESS)
		return o;
	json_object_set_new(o, "object", json_integer(e->object));
	json_object_set_new(o, "old", hex(e->row->before));
	json_object_set_new(o, "new", hex(e->row->after));
	json_object_set_new(o, "before",
			    json_string(story_state(&s->object[e->object], e->row->before, text)));
	json_object_set_new(o, "after",
			    json_string(story_state(&s->object[e->object], e->row->after, text)));
	json_object_set_new(o, "where", frames(&e->where));
	return o;
}

static json_t *script_data(const struct story *s, const struct diagram *d)
{
	json_t *o = json_object(), *lanes = json_array(), *columns = json_array(),
	       *objects = json_array(), *events = json_array();
	char text[96];

	for (u32 i = 0; i < s->lanes + s->columns; i++)
		json_array_append_new(
			columns, json_pack("{s:i}", "width",
					   (int)(i < s->lanes ? d->lane_width : d->object_width)));
	for (u32 i = 0; i < s->lanes; i++)
		json_array_append_new(lanes, json_string(story_lane(s, i)));
	for (u32 i = 0; i < s->objects; i++)
		json_array_append_new(
			objects, json_pack("{s:s, s:s}", "name", s->object[i].name, "first",
					   story_state(&s->object[i], s->object[i].first, text)));
	for (u32 i = 0; i < s->events; i++)
		json_array_append_new(events, event(s, &s->event[i]));
	story_set_text(o, "title", s->replay->scenario->title);
	story_set_text(o, "finding", s->replay->trace.text);
	json_object_set_new(o, "row", json_integer(DIAGRAM_ROW));
	json_object_set_new(o, "width", json_integer(diagram_width(d)));
	json_object_set_new(o, "steps", json_integer(s->replay->trace.steps));
	json_object_set_new(o, "loop", s->loop == STORY_NONE ? json_null() : json_integer(s->loop));
	json_object_set_new(o, "lanes", lanes);
	json_object_set_new(o, "columns", columns);
	json_object_set_new(o, "objects", objects);
	json_object_set_new(o, "events", events);
	return o;
}

/* No end of a script element, whatever the strings hold. */
static int put_safe(const char *buffer, size_t size, void *f)
{
	for (size_t i = 0; i < size; i++)
		if (buffer[i] == '<')
			fputs("\\u003c", f);
		else
			fputc(buffer[i], f);
	return 0;
}

/* ---- the page -------------------------------------------------------------------------------- */

static void put_head(FILE *f, const struct story *s)
{
	const struct trace *t = &s->replay->trace;
	bool loop = s->loop != STORY_NONE;
	char text[640];

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
	      f);
	markup_escape(f, s->replay->scenario->title);
	fprintf(f, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<h1>", page_css, diagram_css);
	markup_escape(f, s->replay->scenario->title);
	fprintf(f, "</h1>\n<p class=\"finding\">violated(%s): ", t->kind);
	markup_escape(f, t->id);
	fputs(": ", f);
	markup_escape(f, t->text);
	fputs("</p>\n<p class=\"muted\">", f);
	story_setting(s, text, sizeof(text));
	markup_escape(f, text);
	fputs(" \xC2\xB7 scenario ", f);
	markup_escape(f, t->scenario_path);
	fprintf(f, " \xC2\xB7 %s%u steps, %u preemption%s", t->minimal ? "shortest: " : "",
		t->steps, t->preemptions, t->preemptions == 1 ? "" : "s");
	if (loop)
		fprintf(f, "; steps %u to %u are the loop, again and again", t->loop_start + 1,
			t->steps);
	fprintf(f, " \xC2\xB7 seamlab %s</p>\n", sl_version());
	if (s->replay->result.diverged.step)
		fprintf(f,
			"<p class=\"finding\">The replay diverged at step %u of %u: this is not "
			"the whole trace.</p>\n",
			s->replay->result.diverged.step, t->steps);
}

static void put_filters(FILE *f, const struct story *s, const struct diagram *d)
{
	fputs("<div class=\"filters js\"><b>lanes</b>", f);
	for (u32 i = 0; i < s->lanes; i++)
		fprintf(f, "<label><input type=\"checkbox\" value=\"%u\" checked> %s</label>\n", i,
			story_lane(s, i));
	fputs("<b>objects</b>", f);
	for (u32 i = 0; i < s->objects; i++) {
		if (d->column[i] == STORY_NONE)
			continue;
		fprintf(f, "<label><input type=\"checkbox\" value=\"%u\" checked> ", d->column[i]);
		markup_escape(f, s->object[i].name);
		fputs("</label>\n", f);
	}
	fputs("</div>\n", f);
}

static void put_picture(FILE *f, const struct story *s, const struct diagram *d)
{
	u32 width = diagram_width(d);

	fprintf(f, "<svg class=\"legend\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\">\n",
		width, DIAGRAM_LEGEND, width, DIAGRAM_LEGEND);
	diagram_legend(f, d);
	fprintf(f,
		"</svg>\n<div class=\"head\"><svg width=\"%u\" height=\"%u\" "
		"viewBox=\"0 0 %u %u\">\n",
		width, DIAGRAM_HEAD, width, DIAGRAM_HEAD);
	diagram_head(f, d);
	fputs("</svg></div>\n<div class=\"rows\">\n", f);
	for (u32 from = 0; from < s->events; from += CHUNK) {
		u32 to = from + CHUNK < s->events ? from + CHUNK : s->events;
		u32 height = (to - from) * DIAGRAM_ROW;

		fprintf(f, "<svg width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\">\n", width,
			height, width, height);
		diagram_rows(f, d, from, to);
		fputs("</svg>\n", f);
	}
	fputs("</div>\n", f);
}

static void put_again(FILE *f, const struct story *s)
{
	const struct trace *t = &s->replay->trace;
	size_t skip = override_size(t->scenario, t->scenario_size);
	char *options = NULL;
	size_t size;
	FILE *m = open_memstream(&options, &size);

	if (m) {
		override_print(m, t->scenario, t->scenario_size);
		if (fclose(m)) {
			free(options);
			options = NULL;
		}
	}
	fputs("<h2>Again</h2>\n<pre>seamlab check", f);
	markup_escape(f, options ? options : "");
	fputs(" --trace t ", f);
	markup_escape(f, t->scenario_path);
	fputs("\nseamlab replay t</pre>\n<details><summary>the scenario</summary><pre>", f);
	/* Its end is a zero byte, though that is not counted. */
	markup_escape(f, t->scenario + skip);
	fputs("</pre></details>\n", f);
	free(options);
}

static void put_panel(FILE *f)
{
	fputs("<div id=\"panel\">\n<div><h3><span id=\"place\"></span> "
	      "<span id=\"inloop\" class=\"inloop\"></span>"
	      "<span><button id=\"prev\" aria-label=\"back\">\xE2\x86\x91</button> "
	      "<button id=\"next\" aria-label=\"on\">\xE2\x86\x93</button></span>"
	      "<span class=\"hint\">arrow keys walk, Home and End jump</span></h3>"
	      "<table><tbody id=\"detail\"></tbody></table></div>\n"
	      "<div><h3>after this</h3><div id=\"states\"></div></div>\n</div>\n",
	      f);
}

char *story_html(const struct story *s)
{
	struct diagram d;
	json_t *data;
	char *text = NULL;
	size_t size;
	FILE *f;

	if (!diagram_open(&d, s, s->source != NULL))
		return NULL;
	data = script_data(s, &d);
	f = open_memstream(&text, &size);
	if (f) {
		put_head(f, s);
		put_filters(f, s, &d);
		put_picture(f, s, &d);
		put_again(f, s);
		put_panel(f);
		fputs("<script type=\"application/json\" id=\"data\">\n", f);
		json_dump_callback(data, put_safe, f, JSON_COMPACT | JSON_PRESERVE_ORDER);
		fprintf(f, "\n</script>\n<script>\n%s</script>\n</body>\n</html>\n", story_js);
	}
	json_decref(data);
	diagram_close(&d);
	return f ? text_finish(f, &text) : NULL;
}
