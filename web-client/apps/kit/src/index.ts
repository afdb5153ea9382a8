/** What the demo apps share. */

export { Avatar, People } from "./components/avatar";
export { Icon, type IconName, Mark } from "./components/icons";
export { Notice } from "./components/notice";
export { SignIn } from "./components/sign-in";
export { TopBar } from "./components/top-bar";
export { useClient } from "./hooks/use-client";
export { type NoticeContent, useNotice } from "./hooks/use-notice";
export { type Session, type SessionActions, useSession } from "./hooks/use-session";
export { messageOf } from "./model/message";
export { type Person, personOf, tidyName } from "./model/person";
export { unreachable } from "./model/unreachable";
export { keepPage } from "./session/keep-page";
