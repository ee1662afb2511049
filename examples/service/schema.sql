create table notes (id serial primary key, owner text, sealed text);
