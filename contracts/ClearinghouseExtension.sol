// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {Deleveraging} from "./Deleveraging.sol";
import {MarketDelisting} from "./MarketDelisting.sol";
import {MarketLedger} from "./MarketLedger.sol";
import {VaultLedger} from "./VaultLedger.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";

/// @title ClearinghouseExtension
/// @notice The code of the clearinghouse's rarer actions, which the clearinghouse runs on its own storage: one contract
/// may not be larger than 24,576 bytes. Called directly it governs nothing but its own empty books.
contract ClearinghouseExtension is Deleveraging, MarketDelisting {
    constructor(IERC20Metadata token, IPriceOracle oracle, address owner)
        VaultLedger(token, owner)
        MarketLedger(oracle)
    {}
}
