"""How the page of the debugger looks: light and dark, wide and narrow."""

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root{color-scheme:light dark;
--ground:#f6f5f2;--card:#fff;--sunk:#faf9f7;--line:#e4e1da;--text:#22211f;--soft:#6b6862;--faint:#98948c;
--red:#b3261e;--red-soft:#fdecea;--mark:#ffd9d4;--hit:#fff4f2;--accent:#3b5bdb;--accent-soft:#eef1fd;--good:#2b7a3d;
--k:#8b2f97;--s:#2d6a3e;--n:#a14a00;--c:#8d8981;--f:#1d53b5;--shadow:0 1px 2px #0000000a,0 4px 16px #0000000a;
--mono:ui-monospace,"SF Mono","Cascadia Code","JetBrains Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",sans-serif}
@media(prefers-color-scheme:dark){:root{
--ground:#131416;--card:#1b1d20;--sunk:#17191b;--line:#2e3136;--text:#e6e4df;--soft:#a19e97;--faint:#75726c;
--red:#ff8a7e;--red-soft:#33201f;--mark:#6b2722;--hit:#2a1d1d;--accent:#91a7ff;--accent-soft:#1f2438;--good:#7fd291;
--k:#d9a2e8;--s:#9ed3a4;--n:#f0b374;--c:#7f7b74;--f:#92b8ff;--shadow:none}}
*{box-sizing:border-box}
html{scroll-padding-top:4rem}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.55 var(--sans);-webkit-text-size-adjust:100%}
main,.bar>div{max-width:1120px;margin:0 auto;padding:0 24px}
code,pre,kbd,.mono{font-family:var(--mono);font-size:.88em}
button{font:inherit;color:inherit;cursor:pointer}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
.bar{position:sticky;top:0;z-index:3;background:color-mix(in srgb,var(--ground) 88%,transparent);
backdrop-filter:blur(10px);border-bottom:1px solid var(--line)}
.bar>div{display:flex;align-items:center;gap:10px;height:52px}
.verb{font:600 12px/1 var(--mono);padding:5px 7px;border-radius:5px;background:var(--red-soft);color:var(--red)}
.url{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font:13px var(--mono);color:var(--soft)}
.tool{border:1px solid var(--line);background:var(--card);border-radius:7px;padding:5px 11px;font-size:13px;
white-space:nowrap;box-shadow:var(--shadow)}
.tool:hover{border-color:var(--faint)}
header{padding:36px 0 8px}
.kind{font:600 14px/1.4 var(--mono);color:var(--red);overflow-wrap:anywhere;margin:0 0 8px}
.kind span{color:var(--faint);font-weight:400}
h1{font-size:26px;line-height:1.32;font-weight:620;letter-spacing:-.012em;margin:0;overflow-wrap:anywhere;white-space:pre-wrap;
text-wrap:pretty}
h1.long{font:15px/1.55 var(--mono);letter-spacing:0;max-height:40vh;overflow:auto}
.where{margin:14px 0 0;color:var(--soft);font-size:14px;overflow-wrap:anywhere}
.where code{color:var(--text)}
.hint{margin:14px 0 0;font-weight:550;color:var(--accent)}
.why{margin:12px 0 0;max-width:72ch;white-space:pre-wrap}
.fix{margin:16px 0 0;border:1px solid var(--line);border-left:3px solid var(--good);background:var(--card);
border-radius:4px 8px 8px 4px;padding:12px 16px}
.fix b{display:block;font-size:12px;font-weight:600;color:var(--good);margin-bottom:2px}
.fix pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13.5px}
.note{margin:12px 0 0;padding-left:14px;border-left:3px solid var(--line);color:var(--soft);white-space:pre-wrap;overflow-wrap:anywhere}
details.explain{margin:14px 0 0}
details.explain>summary{color:var(--accent);font-size:14px}
details.explain>div{max-width:74ch;padding:2px 0 4px 18px;font-size:14px}
.explain h4{margin:14px 0 2px;font-size:14px}.explain p,.explain ul{margin:6px 0}.explain ul{padding-left:20px}
pre.block{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px;overflow:auto;font-size:13px}
.actions{display:flex;flex-wrap:wrap;gap:8px;margin-top:16px;align-items:center}
.action{border:0;background:var(--accent);color:var(--card);border-radius:7px;padding:7px 14px;font-weight:550;font-size:14px}
.action:disabled{opacity:.5;cursor:default}
.said{font-size:14px;color:var(--soft);white-space:pre-wrap}
h2{font-size:13px;font-weight:600;color:var(--soft);margin:34px 0 10px;display:flex;align-items:baseline;gap:10px}
h2 .small{font-weight:400;color:var(--faint)}
h2 button{margin-left:auto;border:0;background:none;color:var(--accent);font-size:13px;padding:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow);overflow:hidden}
.frame{border-top:1px solid var(--line)}.frame:first-child{border-top:0}
summary{cursor:pointer;list-style:none}summary::-webkit-details-marker{display:none}
.frame>summary{display:flex;align-items:baseline;gap:12px;padding:10px 16px;scroll-margin-top:60px}
.frame>summary:hover,.fold>summary:hover{background:var(--sunk)}
.frame>summary::before,.fold>summary::before,.explain>summary::before,.more>summary::before{content:"";flex:none;
display:inline-block;width:6px;height:6px;border:solid var(--faint);border-width:0 1.5px 1.5px 0;
transform:rotate(-45deg) translate(-1px,-1px);margin-right:6px}
details[open]>summary::before{transform:rotate(45deg) translate(-2px,-1px)}
.frame .fn{font:600 13.5px var(--mono);overflow-wrap:anywhere}
.frame .at{margin-left:auto;font:12.5px var(--mono);color:var(--soft);text-align:right;overflow-wrap:anywhere}
.frame .at b{color:var(--text);font-weight:600}
.frame.main>summary{box-shadow:inset 3px 0 var(--red)}
.lib .fn{font-weight:400;color:var(--soft)}
.tag{font:11px var(--sans);color:var(--faint);border:1px solid var(--line);border-radius:4px;padding:0 5px;white-space:nowrap}
.fold{border-top:1px solid var(--line)}.fold:first-child{border-top:0}
.fold>summary{padding:7px 16px;font-size:13px;color:var(--faint)}
.fold>div{background:var(--sunk);border-top:1px solid var(--line)}
.gap{padding:8px 16px;color:var(--faint);font-size:13px;border-top:1px solid var(--line)}
.source{margin:0;padding:10px 0;background:var(--sunk);border-top:1px solid var(--line);overflow-x:auto;
font:13px/1.62 var(--mono);tab-size:4}
.source div{display:flex;min-width:max-content;padding-right:16px;white-space:pre}
.source u{flex:none;width:60px;padding-right:18px;text-align:right;text-decoration:none;color:var(--faint);user-select:none}
.source .hit{background:var(--hit)}
.source .hit u{color:var(--red);font-weight:700}
.source mark{background:var(--mark);color:inherit;border-radius:3px;box-shadow:0 0 0 1px var(--mark)}
.source i{font-style:normal}i.k{color:var(--k)}i.s{color:var(--s)}i.n{color:var(--n)}i.c{color:var(--c);font-style:italic}
i.f,i.d{color:var(--f)}i.b{color:var(--f)}
.editor{display:inline-block;font-size:13px;padding:8px 16px 0}
table{width:100%;border-collapse:collapse;font-size:13px;table-layout:fixed}
th,td{text-align:left;vertical-align:top;padding:6px 16px;border-top:1px solid var(--line);font-weight:400}
tr:first-child>th,tr:first-child>td{border-top:0}
th[scope=row]{width:26%;color:var(--soft);font-family:var(--mono);overflow-wrap:anywhere}
td{font-family:var(--mono);overflow-wrap:anywhere;white-space:pre-wrap}
td.hidden{color:var(--faint);letter-spacing:.1em}
thead th{color:var(--soft);font-weight:600}
.vars{border-top:1px solid var(--line)}
.cause{display:flex;align-items:center;gap:12px;margin:40px 0 0;color:var(--soft);font-size:14px}
.cause::before,.cause::after{content:"";height:1px;background:var(--line);flex:1}.cause::before{max-width:20px}
.sub .kind{font-size:13px}.sub h3{font-size:19px;line-height:1.4;font-weight:600;margin:0 0 14px;white-space:pre-wrap;overflow-wrap:anywhere}
.sub{padding-top:18px}
.tree{list-style:none;margin:0;padding:0}
.tree .tree{margin-left:22px;border-left:1px solid var(--line)}
.member{border-top:1px solid var(--line)}.member:first-child{border-top:0}
.member>details>summary{padding:10px 16px;display:flex;gap:12px;align-items:baseline}
.member>details>summary::before{content:"";flex:none;width:6px;height:6px;border:solid var(--faint);border-width:0 1.5px 1.5px 0;
transform:rotate(-45deg) translate(-1px,-1px)}
.member .kind{margin:0;font-size:13px;flex:none}.member .say{overflow-wrap:anywhere}
.member .inside{padding:0 16px 16px}.member .inside .card{box-shadow:none}
.grid{display:grid;gap:0}
.more{border-top:1px solid var(--line)}.more:first-child{border-top:0}
.more>summary{padding:10px 16px;font-weight:550;font-size:14px}
.more>summary .small{color:var(--faint);font-weight:400;margin-left:6px}
.more>div{border-top:1px solid var(--line);overflow-x:auto}
.more .html{padding:12px 16px}
.console{border-top:1px solid var(--line);padding:10px 16px;background:var(--card);font:13px/1.6 var(--mono)}
.console .past>div{white-space:pre-wrap;overflow-wrap:anywhere}
.console .in{color:var(--soft);margin-top:4px}.console .in::before{content:"\\203a";margin-right:8px;color:var(--faint)}
.console .bad{color:var(--red)}.console .out{color:var(--text)}
.console form{display:flex;gap:8px;align-items:baseline}
.console form::before{content:"\\203a";color:var(--accent);font-weight:600}
.console textarea,.console input{flex:1;min-width:0;border:0;background:none;color:inherit;font:inherit;padding:2px 0;resize:none;
outline:0;field-sizing:content}
.console .ask::before{content:"PIN"}
.console .help{color:var(--faint);font:12px var(--sans);margin:2px 0 0}
.console:focus-within{box-shadow:inset 0 0 0 2px var(--accent-soft)}
footer{margin:44px 0 40px;padding-top:16px;border-top:1px solid var(--line);color:var(--faint);font-size:13px;display:flex;
flex-wrap:wrap;gap:6px 18px}
kbd{border:1px solid var(--line);border-bottom-width:2px;border-radius:4px;padding:0 5px;background:var(--card);font-size:11.5px}
.visually-hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media(max-width:700px){main,.bar>div{padding:0 14px}header{padding-top:22px}h1{font-size:21px}
.frame>summary{flex-wrap:wrap;gap:2px 8px}.frame .at{margin-left:0;flex-basis:100%;text-align:left;padding-left:18px}
.source{font-size:12px}.source u{width:44px;padding-right:12px}
th[scope=row]{width:38%}th,td{padding:6px 12px}.keys{display:none}
.console textarea,.console input{font-size:16px}}
@media print{.bar,.console,footer,.tool{display:none}.card{box-shadow:none}}
@media(prefers-reduced-motion:no-preference){summary::before{transition:transform .12s}}
"""
