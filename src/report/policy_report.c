// SPDX-License-Identifier: MIT
/* The host's policy in reports, and seamlab policies. Layer: report. */
#include "report/policy_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/seamlab.h>

#include "engine/plugin.h"

#define WIDTH 100

struct policy_text policy_text(const struct scenario *s)
{
	struct policy_text t = { .text = "" };
	size_t n = 0;

	if (!s->td_count)
		return t;
	n = (size_t)snprintf(t.text, sizeof(t.text), ", policy ");
	scenario_policy_text(s, t.text + n, sizeof(t.text) - n);
	return t;
}

void policy_to_json(json_t *o, const struct scenario *s)
{
	json_t *set = json_object();

	for (u32 i = 0; i < s->set_count; i++)
		json_object_set_new(set, host_setting_name(s->set[i].setting),
				    json_string(s->set[i].value));
	json_object_set_new(o, "policy", s->td_count ? json_string(s->rules.name) : json_null());
	json_object_set_new(o, "plugin", s->plugin ? json_string(s->plugin) : json_null());
	json_object_set_new(o, "set", set);
}

void policy_print_world(FILE *f, const struct scenario *s, u32 lanes)
{
	char line[700];
	const char *text = line;
	u32 indent = 2;

	snprintf(line, sizeof(line), "%s%s%s%s%s, %u lanes", s->td_count ? "module " : "lock word ",
		 s->td_count ? sl_release_name(s->module.release) : "", s->td_count ? " " : "",
		 s->module.flavour == SL_HARDENED ? "hardened" : "published", policy_text(s).text,
		 lanes);
	while (strlen(text) > WIDTH - indent) {
		size_t size = WIDTH - indent;

		while (size > 1 && text[size] != ' ')
			size--;
		fprintf(f, "%*s%.*s\n", (int)indent, "", (int)size, text);
		text += size + 1;
		indent = 4;
	}
	fprintf(f, "%*s%s\n", (int)indent, "", text);
}

/* ---- seamlab policies ------------------------------------------------------------------------ */

#define COLUMN 24

/* "  head      text", the text on as many lines as it takes. */
static void print_row(FILE *f, const char *head, const char *text)
{
	int n = fprintf(f, "  %s", head);

	if (n >= COLUMN) {
		fputc('\n', f);
		n = 0;
	}
	while (*text) {
		size_t room = WIDTH - COLUMN, size = strlen(text);

		fprintf(f, "%*s", COLUMN - n, "");
		if (size > room) {
			for (size = room; size && text[size] != ' '; size--)
				;
			size = size ? size : room;
		}
		fprintf(f, "%.*s\n", (int)size, text);
		text += size;
		text += *text == ' ';
		n = 0;
	}
}

static bool same_rule(const struct site_rule *a, const struct site_rule *b)
{
	return a->action == b->action && (a->action != SITE_BLIND || a->tries == b->tries);
}

/* What the code around a site does when blind tries are over. */
static const char *gives_up(enum site_room room)
{
	switch (room) {
	case ROOM_INSTALL:
		return "give up: hand BUSY to the fault handler, see fault-retry";
	case ROOM_BUILD:
		return "give up: hand the status to the caller";
	case ROOM_REMOVE:
	case ROOM_RESIZE:
	case ROOM_TEARDOWN:
	case ROOM_FIXED:
	default:
		return "give up: the VM is bugged";
	}
}

static void rule_text(const struct site_rule *rule, enum site_room room, char *text, size_t size)
{
	if (rule->action == SITE_BLIND)
		snprintf(text, size, "at most %u tr%s on the spot, then %s", rule->tries,
			 rule->tries == 1 ? "y" : "ies", gives_up(room));
	else
		snprintf(text, size, "%s", site_rule_text(rule));
}

/* Do the same rules mean the same in both? */
static bool alike(enum site_room a, enum site_room b)
{
	return a != ROOM_FIXED && b != ROOM_FIXED && !strcmp(gives_up(a), gives_up(b));
}

/* Sites that do the same share a row; FIXED ones follow from switches. */
static void print_sites(FILE *f, const struct host_policy *p)
{
	bool done[HOST_SITE_COUNT] = { false };

	fprintf(f, "\nwhen a SEAMCALL is BUSY:\n");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		enum site_room room = host_site_room((enum host_site)i);
		char word[HOST_WORD_MAX], text[700];
		size_t n;

		if (done[i] || room == ROOM_FIXED)
			continue;
		n = 0;
		for (u32 j = i; j < HOST_SITE_COUNT; j++) {
			if (done[j] || !alike(host_site_room((enum host_site)j), room) ||
			    !same_rule(&p->site[i], &p->site[j]))
				continue;
			done[j] = true;
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
					      j == i ? "" : ", ",
					      host_site_name((enum host_site)j));
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, ": ");
		rule_text(&p->site[i], room, text + n, sizeof(text) - n);
		print_row(f, site_rule_name(&p->site[i], word), text);
	}
}

static void print_switches(FILE *f, const struct host_policy *p)
{
	char aside[700] = "";
	size_t n = 0;

	fprintf(f, "\nand:\n");
	for (u32 i = host_setting_switches(); i < host_setting_sites(); i++) {
		enum host_value value = (enum host_value)p->sw[i - host_setting_switches()];
		enum host_switch sw = (enum host_switch)(i - host_setting_switches());
		char text[300];

		if (host_value_is_aside(sw, value)) {
			n += (size_t)snprintf(aside + n, sizeof(aside) - n, "%s%s %s",
					      n ? ", " : "", host_setting_name(i),
					      host_value_name(value));
			continue;
		}
		snprintf(text, sizeof(text), "%s: %s %s", host_value_name(value),
			 host_setting_text(i), host_value_text(value));
		print_row(f, host_setting_name(i), text);
	}
	print_row(f, "beside BUSY", aside);
}

static u32 row_of(const char *name)
{
	u32 i = 0;

	while (!host_policy_is(i, name, strlen(name)))
		i++;
	return i;
}

static const char *const hook_texts[POLICY_QUESTIONS] = {
	[POLICY_ON_BUSY] =
		"on_busy: asked about every BUSY at these sites, and may leave it to their rules",
	[POLICY_ON_FAULT] = "on_fault: asked in place of fault-retry",
	[POLICY_ON_ENTER] = "on_enter: asked in place of enter-on-busy",
};

static void print_hooks(FILE *f, const struct plugin *plugin)
{
	fprintf(f, "\nwhat %s answers itself:\n", plugin_path(plugin));
	for (u32 i = 0; i < POLICY_QUESTIONS; i++)
		if (plugin_answers(plugin, (enum policy_question)i))
			print_row(f, "", hook_texts[i]);
}

static void print_policy(FILE *f, const struct host_policy *p, const struct plugin *plugin)
{
	u32 row = row_of(plugin ? plugin_base(plugin) : p->name);

	fprintf(f, "%s%s%s\n", p->name, plugin ? ", from " : "", plugin ? plugin_base(plugin) : "");
	print_row(f, "", plugin ? plugin_title(plugin) : host_policy_text(row));
	if (*host_policy_left_out(row))
		print_row(f, "", host_policy_left_out(row));
	print_sites(f, p);
	print_switches(f, p);
	if (plugin)
		print_hooks(f, plugin);
}

static void print_settings(FILE *f, u32 from, u32 to)
{
	for (u32 i = from; i < to; i++) {
		char text[400];
		size_t n = 0;

		for (u32 j = 0; host_setting_value(i, j); j++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", j ? " | " : "",
					      host_setting_value(i, j));
		snprintf(text + n, sizeof(text) - n, ": %s", host_setting_text(i));
		print_row(f, host_setting_name(i), text);
	}
}

static void print_all(FILE *f)
{
	fprintf(f, "policies (seamlab policies NAME shows one):\n");
	for (u32 i = 0; host_policy_name(i); i++)
		print_row(f, host_policy_name(i), host_policy_text(i));
	fprintf(f, "\nswitches (host: {set: {SWITCH: VALUE}}, or --set SWITCH=VALUE):\n");
	print_settings(f, 0, host_setting_sites());
	fprintf(f, "\nand each of these sites by itself, with what is possible there:\n");
	for (u32 i = host_setting_sites(); host_setting_name(i); i++) {
		char head[400];
		u32 last = i;
		size_t n = (size_t)snprintf(head, sizeof(head), "%s", host_setting_name(i));

		/* Neighbours with the same values share a row. */
		while (host_setting_name(last + 1)) {
			u32 j = 0;

			while (host_setting_value(i, j) &&
			       host_setting_value(i, j) == host_setting_value(last + 1, j))
				j++;
			if (host_setting_value(i, j) || host_setting_value(last + 1, j))
				break;
			last++;
			n += (size_t)snprintf(head + n, sizeof(head) - n, ", %s",
					      host_setting_name(last));
		}
		for (u32 j = 0; host_setting_value(i, j); j++)
			n += (size_t)snprintf(head + n, sizeof(head) - n, "%s%s", j ? " | " : ": ",
					      host_setting_value(i, j));
		print_row(f, "", head);
		i = last;
	}
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static json_t *hooks_json(const struct plugin *plugin)
{
	static const char *const name[] = { "on_busy", "on_fault", "on_enter" };
	json_t *list = json_array();

	for (u32 i = 0; i < POLICY_QUESTIONS; i++)
		if (plugin && plugin_answers(plugin, (enum policy_question)i))
			json_array_append_new(list, json_string(name[i]));
	return list;
}

static json_t *policy_json(const struct host_policy *p, const struct plugin *plugin)
{
	json_t *o = json_object(), *sites = json_object(), *sw = json_object();
	u32 row = row_of(plugin ? plugin_base(plugin) : p->name);

	json_object_set_new(o, "name", json_string(p->name));
	json_object_set_new(o, "text",
			    json_string(plugin ? plugin_title(plugin) : host_policy_text(row)));
	json_object_set_new(o, "base", plugin ? json_string(plugin_base(plugin)) : json_null());
	json_object_set_new(o, "hooks", hooks_json(plugin));
	json_object_set_new(o, "left_out", json_string(host_policy_left_out(row)));
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		char word[HOST_WORD_MAX];

		if (host_site_room((enum host_site)i) != ROOM_FIXED)
			json_object_set_new(sites, host_site_name((enum host_site)i),
					    json_string(site_rule_name(&p->site[i], word)));
	}
	for (u32 i = 0; i < HOST_SWITCH_COUNT; i++)
		json_object_set_new(sw, host_setting_name(host_setting_switches() + i),
				    json_string(host_value_name((enum host_value)p->sw[i])));
	json_object_set_new(o, "sites", sites);
	json_object_set_new(o, "switches", sw);
	return o;
}

static json_t *all_json(void)
{
	json_t *o = json_object(), *list = json_array(), *settings = json_object();

	for (u32 i = 0; host_policy_name(i); i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s}", "name", host_policy_name(i), "text",
					host_policy_text(i), "left_out", host_policy_left_out(i)));
	for (u32 i = 0; host_setting_name(i); i++) {
		json_t *values = json_array();

		for (u32 j = 0; host_setting_value(i, j); j++)
			json_array_append_new(values, json_string(host_setting_value(i, j)));
		json_object_set_new(settings, host_setting_name(i), values);
	}
	json_object_set_new(o, "policies", list);
	json_object_set_new(o, "settings", settings);
	return o;
}

static char *json_text(json_t *o)
{
	char *text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	json_decref(o);
	return text;
}

static char *policy_table(const struct host_policy *p, const struct plugin *plugin)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (p)
		print_policy(f, p, plugin);
	else
		print_all(f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int sl_policies_report(const char *name, enum sl_format format, char **report, char *err,
		       size_t err_size)
{
	struct plugin *plugin = NULL;
	struct scenario *s;
	struct sl_err e = { .text = "" };
	int rc = 0;

	*report = NULL;
	if (!name) {
		*report =
			format == SL_FORMAT_JSON ? json_text(all_json()) : policy_table(NULL, NULL);
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	rc = scenario_override(s, name, NULL, 0, &e);
	if (!rc)
		rc = plugin_attach(s, &plugin, &e);
	if (rc)
		snprintf(err, err_size, "%s",
			 e.text + (strncmp(e.text, "--policy: ", 10) ? 0 : 10));
	else
		*report = format == SL_FORMAT_JSON ? json_text(policy_json(&s->rules, plugin))
						   : policy_table(&s->rules, plugin);
	plugin_free(plugin);
	scenario_free(s);
	return rc;
}
