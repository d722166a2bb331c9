// SPDX-License-Identifier: MIT
/*
 * The host's policy: the key 'host' of a file, and what a command line puts in its place.
 * Layer: scenario.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "scenario/reader.h"

/* Words of the user and what was expected in their place, for both kinds of place. */
struct complaint {
	char text[1100];
};

bool scenario_is_plugin(const char *word, size_t size)
{
	return memchr(word, '/', size) || (size > 3 && !memcmp(word + size - 3, ".so", 3));
}

/* The path of the plug-in @word that something in the folder of @beside names; NULL: of the current folder. */
static int set_plugin(struct scenario *s, const char *beside, const char *word, size_t size)
{
	const char *slash = beside && word[0] != '/' ? strrchr(beside, '/') : NULL;
	char *path = NULL;

	/* Without a slash it would be looked for where the system has its libraries. */
	if (asprintf(&path, "%.*s%s%.*s", slash ? (int)(slash + 1 - beside) : 0,
		     slash ? beside : "", slash || memchr(word, '/', size) ? "" : "./", (int)size,
		     word) < 0)
		return -ENOMEM;
	free(s->plugin);
	s->plugin = path;
	return 0;
}

/* "blind-N" takes a number. */
static void add_name(struct scn_names *names, const char *name)
{
	char with_n[HOST_WORD_MAX + 32];
	size_t size = strlen(name);

	if (size > 2 && !strcmp(name + size - 2, "-N")) {
		snprintf(with_n, sizeof(with_n), "%s with N from 1 to %u", name, HOST_TRIES_MAX);
		name = with_n;
	}
	scn_names_add(names, name);
}

static void wrong_policy(struct complaint *c, const char *found, struct scn_near *near)
{
	struct scn_names names = { .used = 0 };
	struct scn_shown hint;

	for (u32 i = 0; host_policy_name(i); i++) {
		add_name(&names, host_policy_name(i));
		scn_near_try(near, host_policy_name(i));
	}
	snprintf(c->text, sizeof(c->text),
		 "found %s; expected a policy that this version knows: %s, or a shared object "
		 "such as ./mine.so%s",
		 found, names.text, scn_near_text(near, &hint));
}

static void wrong_setting(struct complaint *c, const char *found, struct scn_near *near)
{
	struct scn_names names = { .used = 0 };
	struct scn_shown hint;

	for (u32 i = 0; host_setting_name(i); i++) {
		if (i < host_setting_sites())
			scn_names_add(&names, host_setting_name(i));
		scn_near_try(near, host_setting_name(i));
	}
	snprintf(c->text, sizeof(c->text),
		 "found switch %s; expected one of %s, or a site such as zap-block%s", found,
		 names.text, scn_near_text(near, &hint));
}

static void wrong_value(struct complaint *c, const char *found, u32 setting, struct scn_near *near)
{
	struct scn_names names = { .used = 0 };
	struct scn_shown hint;

	for (u32 i = 0; host_setting_value(setting, i); i++) {
		add_name(&names, host_setting_value(setting, i));
		scn_near_try(near, host_setting_value(setting, i));
	}
	snprintf(c->text, sizeof(c->text), "found %s; expected one of %s%s", found, names.text,
		 scn_near_text(near, &hint));
}

/* A later setting of the same name takes the place of the one before. */
static void remember(struct scenario *s, u32 setting, const char *value, size_t size)
{
	struct scn_setting *at = s->set;

	while (at < s->set + s->set_count && at->setting != setting)
		at++;
	if (at == s->set + s->set_count) {
		SL_BUG_ON(s->set_count == SCN_SETTINGS_MAX);
		s->set_count++;
	}
	at->setting = setting;
	snprintf(at->value, sizeof(at->value), "%.*s", (int)size, value);
}

/* ---- in a file ------------------------------------------------------------------------------- */

static struct scn_near near_of(const struct scn_node *n)
{
	return (struct scn_near){ .word = n->text,
				  .size = n->kind == SCN_NODE_SCALAR ? n->size : 0 };
}

static int read_policy(struct scn_reader *r, const struct scn_node *n)
{
	struct scn_near near = near_of(n);
	struct complaint c;
	struct scn_shown shown;

	if (n->kind == SCN_NODE_SCALAR && !host_policy_init(&r->s->rules, n->text, n->size))
		return 0;
	if (n->kind == SCN_NODE_SCALAR && scenario_is_plugin(n->text, n->size)) {
		if (memchr(n->text, '\0', n->size) || n->size > SCN_PLUGIN_MAX)
			return scn_fail(r, n, "found %s; expected a path of at most %u bytes",
					scn_show(&shown, n), SCN_PLUGIN_MAX);
		return set_plugin(r->s, r->s->path, n->text, n->size)
			       ? scn_fail(r, n, "out of memory")
			       : 0;
	}
	wrong_policy(&c, scn_show(&shown, n), &near);
	return scn_fail(r, n, "%s", c.text);
}

static int read_setting(struct scn_reader *r, const struct scn_node *key)
{
	const struct scn_node *value = key->next;
	struct scn_near near = near_of(key);
	struct complaint c;
	struct scn_shown shown;
	int setting = -ENOENT;

	if (key->kind == SCN_NODE_SCALAR)
		setting = host_setting_find(key->text, key->size);
	if (setting < 0) {
		wrong_setting(&c, scn_show(&shown, key), &near);
		return scn_fail(r, key, "%s", c.text);
	}
	for (u32 i = 0; i < r->s->set_count; i++)
		if (r->s->set[i].setting == (u32)setting)
			return scn_fail(r, key, "found switch '%s' again; expected it once",
					host_setting_name((u32)setting));
	if (value->kind == SCN_NODE_SCALAR &&
	    !host_policy_set(&r->s->rules, (u32)setting, value->text, value->size)) {
		remember(r->s, (u32)setting, value->text, value->size);
		return 0;
	}
	near = near_of(value);
	wrong_value(&c, scn_show(&shown, value), (u32)setting, &near);
	return scn_fail(r, value->kind == SCN_NODE_NULL ? key : value, "%s", c.text);
}

int scn_read_host(struct scn_reader *r, const struct scn_node *n)
{
	enum { POLICY, SET };
	struct scn_key keys[] = {
		[POLICY] = { .name = "policy" },
		[SET] = { .name = "set" },
	};
	struct scn_shown shown;
	int ret = scn_get_map(r, n, keys, ARRAY_SIZE(keys));

	if (!ret && keys[POLICY].value)
		ret = read_policy(r, keys[POLICY].value);
	if (ret || !keys[SET].value)
		return ret;
	if (keys[SET].value->kind != SCN_NODE_MAP)
		return scn_fail(r, keys[SET].value, "found %s; expected a mapping of switches",
				scn_show(&shown, keys[SET].value));
	for (const struct scn_node *key = keys[SET].value->first; key && !ret;
	     key = key->next->next)
		ret = read_setting(r, key);
	return ret;
}

/* ---- on a command line ----------------------------------------------------------------------- */

static int override_policy(struct scenario *s, const char *name, struct sl_err *err)
{
	struct scn_near near = { .word = name, .size = strlen(name) };
	struct complaint c;
	struct scn_shown shown;

	if (!host_policy_init(&s->rules, name, strlen(name))) {
		s->set_count = 0;
		free(s->plugin);
		s->plugin = NULL;
		return 0;
	}
	if (scenario_is_plugin(name, strlen(name))) {
		s->set_count = 0;
		return set_plugin(s, NULL, name, strlen(name))
			       ? sl_err_set(err, -ENOMEM, "out of memory")
			       : 0;
	}
	wrong_policy(&c, scn_show_text(&shown, name, strlen(name)), &near);
	return sl_err_set(err, -EINVAL, "--policy: %s", c.text);
}

static int override_setting(struct scenario *s, const char *text, struct sl_err *err)
{
	const char *eq = strchr(text, '=');
	size_t size = eq ? (size_t)(eq - text) : strlen(text);
	struct scn_near near = { .word = text, .size = size };
	struct scn_shown shown;
	struct complaint c;
	int setting;

	if (!eq)
		return sl_err_set(err, -EINVAL, "--set: found %s; expected SWITCH=VALUE",
				  scn_show_text(&shown, text, size));
	setting = host_setting_find(text, size);
	if (setting < 0) {
		wrong_setting(&c, scn_show_text(&shown, text, size), &near);
		return sl_err_set(err, -EINVAL, "--set: %s", c.text);
	}
	size = strlen(eq + 1);
	if (!host_policy_set(&s->rules, (u32)setting, eq + 1, size)) {
		remember(s, (u32)setting, eq + 1, size);
		return 0;
	}
	near = (struct scn_near){ .word = eq + 1, .size = size };
	wrong_value(&c, scn_show_text(&shown, eq + 1, size), (u32)setting, &near);
	return sl_err_set(err, -EINVAL, "--set %s: %s", host_setting_name((u32)setting), c.text);
}

static int no_host(const struct scenario *s, struct sl_err *err)
{
	return sl_err_set(
		err, -ENOTSUP,
		"%s: found a scenario of a lock word, which has no host; expected one of a "
		"TD for --policy and --set",
		s->path);
}

int scenario_override(struct scenario *s, const char *policy, const char *const *set, u32 set_count,
		      struct sl_err *err)
{
	int ret = 0;

	if (policy)
		ret = s->lock ? no_host(s, err) : override_policy(s, policy, err);
	for (u32 i = 0; i < set_count && !ret; i++) {
		ret = scn_override_module(s, set[i], err);
		if (ret == -ENOENT)
			ret = s->lock ? no_host(s, err) : override_setting(s, set[i], err);
	}
	return ret;
}

void scenario_policy_text(const struct scenario *s, char *text, size_t size)
{
	int n = snprintf(text, size, "%s", s->rules.name);

	for (u32 i = 0; i < s->set_count && n >= 0 && (size_t)n < size; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%s %s", i ? ", " : " with ",
			      host_setting_name(s->set[i].setting), s->set[i].value);
}
