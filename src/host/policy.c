// SPDX-License-Identifier: MIT
/* The tables of site.def and policy.def, and how a policy is made from them. Layer: host. Holds no state. */
#include "host/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"

/* ---- the tables ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	u16 leaf;
	u8 room, action;
} sites[HOST_SITE_COUNT] = {
#define SL_HOST_SITE(ident, name, leaf, room, action, ok1, ok2) \
	[HOST_SITE_##ident] = { (name), SEAMCALL_##leaf, ROOM_##room, SITE_##action },
#include "host/site.def"
#undef SL_HOST_SITE
};

static const bool tested[HOST_SITE_COUNT] = {
#define SL_TESTED(site) [HOST_SITE_##site] = true,
#include "host/policy.def"
};

static const struct {
	u8 site, sw, value;
} needs[] = {
#define SL_SITE_NEEDS(site, sw, value) { HOST_SITE_##site, HOST_SWITCH_##sw, HOST_##sw##_##value },
#include "host/policy.def"
};

static const char *const endless[HOST_SITE_COUNT] = {
#define SL_SITE_ENDLESS(site, text) [HOST_SITE_##site] = (text),
#include "host/policy.def"
};

static const struct {
	const char *name;
	u32 rooms;
	const char *text;
} actions[SITE_ACTION_COUNT] = {
#define ROOM(ident)                         (1u << ROOM_##ident)
#define SL_ACTION(ident, name, rooms, text) [SITE_##ident] = { (name), (rooms), (text) },
#include "host/policy.def"
};

struct words {
	const char *name;
	const char *text;
};

static const struct words switches[HOST_SWITCH_COUNT] = {
#define SL_SWITCH(ident, name, text) [HOST_SWITCH_##ident] = { (name), (text) },
#include "host/policy.def"
};

static const struct {
	u8 sw;
	struct words words;
} values[HOST_VALUE_COUNT] = {
#define SL_VALUE(sw, ident, name, text) \
	[HOST_##sw##_##ident] = { HOST_SWITCH_##sw, { (name), (text) } },
#include "host/policy.def"
};

enum group {
#define SL_GROUP(ident, name, text) GROUP_##ident,
#include "host/policy.def"
	GROUP_COUNT
};

static const struct words groups[GROUP_COUNT] = {
#define SL_GROUP(ident, name, text) [GROUP_##ident] = { (name), (text) },
#include "host/policy.def"
};

static const struct {
	u8 group, site;
} group_sites[] = {
#define SL_GROUP_SITE(group, site) { GROUP_##group, HOST_SITE_##site },
#include "host/policy.def"
};

static const struct {
	u8 group;
	const char *name;
	u8 action;
	const char *retry;
} group_values[] = {
#define SL_GROUP_VALUE(group, name, action, retry) \
	{ GROUP_##group, (name), SITE_##action, (retry) },
#include "host/policy.def"
};

enum policy_id {
#define SL_POLICY(ident, name, text, left_out) POLICY_##ident,
#include "host/policy.def"
	POLICY_COUNT
};

static const struct {
	const char *name, *text, *left_out;
} policies[POLICY_COUNT] = {
#define SL_POLICY(ident, name, text, left_out) [POLICY_##ident] = { (name), (text), (left_out) },
#include "host/policy.def"
};

static const struct {
	u8 policy;
	const char *setting, *value;
} rules[] = {
#define SL_RULE(policy, sw, value) { POLICY_##policy, (sw), (value) },
#include "host/policy.def"
};

/* ---- words ----------------------------------------------------------------------------------- */

static bool is_word(const char *word, const char *text, size_t size)
{
	return strlen(word) == size && !memcmp(word, text, size);
}

/* Decimal, without zeros in front; 0 if it is none, or too large. */
static u32 parse_tries(const char *text, size_t size)
{
	u32 n = 0;

	if (!size || text[0] == '0')
		return 0;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		n = n * 10 + (u32)(text[i] - '0');
		if (n > HOST_TRIES_MAX)
			return 0;
	}
	return n;
}

/* Is @text the name @pattern, whose N, if it ends in "-N", stands for a number? */
static bool matches(const char *pattern, const char *text, size_t size, u32 *tries)
{
	size_t head = strlen(pattern);

	*tries = 0;
	if (head < 2 || strcmp(pattern + head - 2, "-N") != 0)
		return is_word(pattern, text, size);
	head--;
	if (size <= head || memcmp(pattern, text, head) != 0)
		return false;
	*tries = parse_tries(text + head, size - head);
	return *tries != 0;
}

/* ---- settings -------------------------------------------------------------------------------- */

/* Sites that policies have a say about, in the order of the table: the @index-th of them, or COUNT. */
static enum host_site free_site(u32 index)
{
	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		if (sites[i].room != ROOM_FIXED && index-- == 0)
			return (enum host_site)i;
	return HOST_SITE_COUNT;
}

u32 host_setting_switches(void)
{
	return GROUP_COUNT;
}

u32 host_setting_sites(void)
{
	return GROUP_COUNT + HOST_SWITCH_COUNT;
}

const char *host_setting_name(u32 index)
{
	enum host_site site;

	if (index < host_setting_switches())
		return groups[index].name;
	if (index < host_setting_sites())
		return switches[index - host_setting_switches()].name;
	site = free_site(index - host_setting_sites());
	return site == HOST_SITE_COUNT ? NULL : sites[site].name;
}

const char *host_setting_text(u32 index)
{
	if (index < host_setting_switches())
		return groups[index].text;
	if (index < host_setting_sites())
		return switches[index - host_setting_switches()].text;
	return "one site";
}

/* Row of group_values, of values or of actions for the @nth value of @setting; -1 behind the last. */
static int value_row(u32 setting, u32 nth)
{
	enum host_site site;

	if (setting < host_setting_switches()) {
		for (u32 i = 0; i < ARRAY_SIZE(group_values); i++)
			if (group_values[i].group == setting && nth-- == 0)
				return (int)i;
		return -1;
	}
	if (setting < host_setting_sites()) {
		for (u32 i = 0; i < HOST_VALUE_COUNT; i++)
			if (values[i].sw == setting - host_setting_switches() && nth-- == 0)
				return (int)i;
		return -1;
	}
	site = free_site(setting - host_setting_sites());
	for (u32 i = 0; site != HOST_SITE_COUNT && i < SITE_ACTION_COUNT; i++)
		if ((actions[i].rooms >> sites[site].room & 1) && nth-- == 0)
			return (int)i;
	return -1;
}

const char *host_setting_value(u32 index, u32 value)
{
	int row = value_row(index, value);

	if (row < 0)
		return NULL;
	if (index < host_setting_switches())
		return group_values[row].name;
	return index < host_setting_sites() ? values[row].words.name : actions[row].name;
}

const char *host_setting_value_text(u32 index, u32 value)
{
	int row = value_row(index, value);

	if (row < 0)
		return NULL;
	if (index < host_setting_switches())
		return actions[group_values[row].action].text;
	return index < host_setting_sites() ? values[row].words.text : actions[row].text;
}

int host_setting_find(const char *name, size_t size)
{
	for (u32 i = 0; host_setting_name(i); i++)
		if (is_word(host_setting_name(i), name, size))
			return (int)i;
	return -ENOENT;
}

static void set_switch(struct host_policy *p, enum host_value value)
{
	p->sw[values[value].sw] = (u8)value;
}

static void set_group(struct host_policy *p, u32 row, u32 tries)
{
	for (u32 i = 0; i < ARRAY_SIZE(group_sites); i++)
		if (group_sites[i].group == group_values[row].group)
			p->site[group_sites[i].site] =
				(struct site_rule){ .action = group_values[row].action,
						    .tries = tries };
	for (u32 i = 0; i < HOST_VALUE_COUNT; i++)
		if (values[i].sw == HOST_SWITCH_fault_retry &&
		    !strcmp(values[i].words.name, group_values[row].retry))
			set_switch(p, (enum host_value)i);
}

int host_policy_set(struct host_policy *p, u32 setting, const char *value, size_t size)
{
	for (u32 i = 0; host_setting_value(setting, i); i++) {
		u32 tries, row = (u32)value_row(setting, i);

		if (!matches(host_setting_value(setting, i), value, size, &tries))
			continue;
		if (setting < host_setting_switches())
			set_group(p, row, tries);
		else if (setting < host_setting_sites())
			set_switch(p, (enum host_value)row);
		else
			p->site[free_site(setting - host_setting_sites())] =
				(struct site_rule){ .action = (u8)row, .tries = tries };
		return 0;
	}
	return -EINVAL;
}

/* ---- presets --------------------------------------------------------------------------------- */

const char *host_policy_name(u32 index)
{
	return index < POLICY_COUNT ? policies[index].name : NULL;
}

const char *host_policy_text(u32 index)
{
	return index < POLICY_COUNT ? policies[index].text : NULL;
}

const char *host_policy_left_out(u32 index)
{
	return index < POLICY_COUNT ? policies[index].left_out : NULL;
}

bool host_policy_is(u32 index, const char *name, size_t size)
{
	u32 tries;

	return index < POLICY_COUNT && matches(policies[index].name, name, size, &tries);
}

/* A rule of the table; "-N" in its value is the number in the preset's name. */
static void apply_rule(struct host_policy *p, const char *setting, const char *value, u32 tries)
{
	char word[HOST_WORD_MAX];
	size_t size = strlen(value);
	int index = host_setting_find(setting, strlen(setting));

	SL_BUG_ON(index < 0);
	snprintf(word, sizeof(word), "%s", value);
	if (size > 2 && !strcmp(value + size - 2, "-N"))
		snprintf(word, sizeof(word), "%.*s%u", (int)(size - 1), value, tries);
	SL_BUG_ON(host_policy_set(p, (u32)index, word, strlen(word)));
}

static void set_defaults(struct host_policy *p)
{
	*p = (struct host_policy){ .name = "" };
	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		p->site[i].action = sites[i].action;
	/* The first value of each switch has the last word. */
	for (u32 i = HOST_VALUE_COUNT; i > 0; i--)
		set_switch(p, (enum host_value)(i - 1));
}

int host_policy_init(struct host_policy *p, const char *name, size_t size)
{
	u32 index = 0, tries = 0;

	while (index < POLICY_COUNT && !matches(policies[index].name, name, size, &tries))
		index++;
	if (index == POLICY_COUNT)
		return -ENOENT;
	set_defaults(p);
	snprintf(p->name, sizeof(p->name), "%.*s", (int)size, name);
	for (u32 i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].policy == index)
			apply_rule(p, rules[i].setting, rules[i].value, tries);
	return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *host_site_name(enum host_site site)
{
	return (u32)site < HOST_SITE_COUNT ? sites[site].name : "unknown";
}

enum tdx_seamcall host_site_leaf(enum host_site site)
{
	return (enum tdx_seamcall)sites[site].leaf;
}

enum site_room host_site_room(enum host_site site)
{
	return (enum site_room)sites[site].room;
}

/* The public names of actions are the tables' own, one further on: SL_ACTION_TABLE is in front. */
#define SL_ACTION(ident, name, rooms, text) \
	_Static_assert((int)SL_ACTION_##ident == (int)SITE_##ident + 1, "as in policy.h");
#include "host/policy.def"

u32 host_site_actions(enum host_site site)
{
	u32 mask = 1u << SL_ACTION_TABLE;

	/* Who ignores BUSY has to say so beforehand: the caller goes by the table. */
	for (u32 i = 0; i < SITE_ACTION_COUNT && i != SITE_IGNORE; i++)
		mask |= (actions[i].rooms >> sites[site].room & 1) << (i + 1);
	return mask;
}

bool host_site_is_tested(enum host_site site)
{
	return tested[site];
}

bool host_site_need(enum host_site site, u32 nth, enum host_switch *sw, enum host_value *value)
{
	for (u32 i = 0; i < ARRAY_SIZE(needs); i++) {
		if (needs[i].site != site || nth-- > 0)
			continue;
		*sw = (enum host_switch)needs[i].sw;
		*value = (enum host_value)needs[i].value;
		return true;
	}
	return false;
}

bool host_policy_reaches(const struct host_policy *p, enum host_site site)
{
	enum host_switch sw;
	enum host_value value;

	for (u32 i = 0; host_site_need(site, i, &sw, &value); i++)
		if (p->sw[sw] != value)
			return false;
	return true;
}

const char *host_site_endless(enum host_site site)
{
	return endless[site];
}

const char *host_switch_name(enum host_switch sw)
{
	return switches[sw].name;
}

const char *site_rule_name(const struct site_rule *rule, char *word)
{
	const char *name = actions[rule->action].name;

	if (rule->action == SITE_BLIND)
		snprintf(word, HOST_WORD_MAX, "%.*s%u", (int)strlen(name) - 1, name, rule->tries);
	else
		snprintf(word, HOST_WORD_MAX, "%s", name);
	return word;
}

const char *site_rule_text(const struct site_rule *rule)
{
	return actions[rule->action].text;
}

const char *host_value_name(enum host_value value)
{
	return values[value].words.name;
}

const char *host_value_text(enum host_value value)
{
	return values[value].words.text;
}

bool host_value_is_aside(enum host_switch sw, enum host_value value)
{
	static const bool aside[HOST_SWITCH_COUNT] = {
#define SL_SWITCH_ASIDE(ident, name, text) [HOST_SWITCH_##ident] = true,
#include "host/policy.def"
	};

	/* The first value of a switch is its default. */
	return aside[sw] && (!value || values[value - 1].sw != values[value].sw);
}
